"""Count primes on every core: a node process for each, a worker on each."""

import os

import trio

import actors


@actors.message
class Count(actors.Request[int]):
    first: int
    last: int


class Counter(actors.Actor):
    @actors.receive
    def count(self, message: Count) -> int:
        numbers = range(max(2, message.first), message.last)
        return sum(all(n % d for d in range(2, int(n**0.5) + 1)) for n in numbers)


async def main() -> None:
    cores = os.cpu_count() or 1
    async with actors.open_system("alpha", spawnable=[Counter]) as system:
        for core in range(cores):
            await system.start_node(f"core-{core}")
        workers = [system.spawn(Counter, on=f"core-{core}") for core in range(cores)]
        step = 40_000 // cores
        parts = [worker.request(Count(core * step, (core + 1) * step)) for core, worker in enumerate(workers)]
        print(sum([await part.wait() for part in parts]), "primes, counted on", cores, "cores")


if __name__ == "__main__":
    trio.run(main)
