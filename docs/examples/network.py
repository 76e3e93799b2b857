"""A supervisor and three agents that take their time: used when they are ready, not after a sleep."""

import trio

import actors


class Agent(actors.Actor):
    def __init__(self, boot: float) -> None:
        self.boot = boot

    async def on_start(self) -> None:
        await trio.sleep(self.boot)  # it logs in, loads a model, starts a process


class Shaky(Agent):
    attempts = 0

    async def on_start(self) -> None:
        await super().on_start()
        Shaky.attempts += 1
        if Shaky.attempts == 1:
            raise ConnectionError("nobody answered")


class Network(actors.Supervisor):
    def on_start(self) -> None:
        self.spawn(Agent, 0.4, name="planner")
        self.spawn(Agent, 0.8, name="searcher")
        patient = actors.Policy(backoff=actors.Backoff(initial=0.1, jitter=0.0))
        self.spawn(Shaky, 0.2, name="writer", policy=patient)  # fails once; its supervisor starts it again


async def main() -> None:
    async with actors.open_system("alpha") as system:
        network = await system.start(Network, name="network")
        async for done, total, ref, state, elapsed in system.spawning(system.children(network)):
            print(f"{done} of {total}: {ref.name} is {state} after {elapsed:.1f} s")
        print(system.tree())


if __name__ == "__main__":
    trio.run(main)
