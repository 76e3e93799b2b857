"""Six agents research a folder of texts, ask a person once, lose one of their own, and finish.

    python docs/examples/research

The agents are processes: `model.py`, a scripted stand-in for a model. One of them is killed at work.
"""

import os
import signal
from functools import partial
from pathlib import Path

import trio
from agents import BUDGET, Coordinator, Research, TellPid

import actors
from actors.events import Failed, PersonAsked, Restarted

TEXTS = Path(__file__).with_name("texts")


async def tell_of_failures(system: actors.System, *, task_status=trio.TASK_STATUS_IGNORED) -> None:
    async with system.subscribe(Failed, Restarted) as events:
        task_status.started()
        async for event in events:
            news = event.exit.reason if isinstance(event, Failed) else "is at work again"
            print(f"* {event.ref.path}: {news}", flush=True)


def type_in(question: str, otherwise: str) -> str:
    try:
        return input(question).strip()
    except EOFError:
        return otherwise


async def person(system: actors.System) -> None:
    """Whoever sits at the terminal; when nobody does, what most sources say is right."""
    async with system.desk.queue() as queue:
        async for change in queue:
            if isinstance(change, PersonAsked):
                options = change.request.options
                asked = partial(type_in, f"? {change.request.text} [{'/'.join(options)}] ", options[0])
                answer = None
                while answer not in options:
                    answer = await trio.to_thread.run_sync(asked, abandon_on_cancel=True)
                system.desk.answer(change.request.id, answer, by="you")


async def kill(agent: actors.Ref) -> None:
    """A machine that runs out of memory would do the same."""
    os.kill(await agent.ask(TellPid()), signal.SIGKILL)


async def main() -> None:
    async with actors.open_system("alpha", budget=BUDGET) as system, trio.open_nursery() as nursery:
        await nursery.start(tell_of_failures, system)
        nursery.start_soon(person, system)
        coordinator = await system.start(Coordinator, name="coordinator")
        print(system.tree())
        nursery.start_soon(kill, system.find("/coordinator/readers/reader-1"))
        async with coordinator.stream(Research(str(TEXTS))) as words:
            async for word in words:
                print(word, end="\n" if word.endswith(".") else " ", flush=True)
        spent = system.budget("/").spent.tokens
        print(f"{spent} of {BUDGET.tokens} tokens spent")
        nursery.cancel_scope.cancel()


trio.run(main)
