"""Who researches: six agents in two crews, and the coordinator above them."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import trio

import actors
from actors.process import Lines

MODEL = Path(__file__).with_name("model.py")
LOOKING_FOR = {
    "lit first in": r"lit first .*(\d{4})",
    "paid for by": r"(the merchants of \w+)",
    "built by": r"built by ([A-Z]\w+ [A-Z]\w+)",
}
BUDGET = actors.Budget(tokens=2_000)  # of all six together
PATIENT = actors.Policy(backoff=actors.Backoff(initial=0.05))

Fact = dict[str, str]


# --- what the models are asked: these classes become JSON lines ---


@actors.message(tag="read")
class Read(actors.StreamRequest[Fact]):
    text: str
    looking_for: dict[str, str]


@actors.message(tag="judge")
class Judge(actors.Request[dict[str, dict]]):
    facts: list[Fact]


@actors.message(tag="write")
class Write(actors.StreamRequest[str]):
    facts: dict[str, str]


@actors.message(tag="pid")
class TellPid(actors.Request[int]):
    """For whoever wants to kill one."""


# --- what the crews are asked ---


@actors.message
class ReadAll(actors.Request[list[Fact]]):
    texts: list[str]


@actors.message
class Research(actors.StreamRequest[str]):
    """The report on a folder of texts, word by word."""

    folder: str


class Crew(actors.Supervisor):
    """A model for each name."""

    def __init__(self, *names: str) -> None:
        self.names = names

    async def on_start(self) -> None:
        agents = [
            self.spawn(Lines([sys.executable, str(MODEL)]), name=name, policy=PATIENT) for name in self.names
        ]
        await self.ctx.system.wait_ready(agents)


class Readers(Crew):
    """Hands out texts, one at a time to each; the text of one that is killed is handed out again."""

    @actors.receive
    async def read(self, message: ReadAll) -> list[Fact]:
        texts, facts = list(message.texts), list[Fact]()

        async def work(reader: actors.Ref) -> None:
            while texts:
                text = texts.pop()
                try:
                    facts.extend(await reader.ask(Read(text, LOOKING_FOR), timeout=10))
                except actors.ActorFailed:
                    texts.append(text)

        async with trio.open_nursery() as nursery:
            for reader in self.children:
                nursery.start_soon(work, reader)
        return facts


class Coordinator(actors.Supervisor):
    """Has the texts read and judged, asks a person where they differ, and has the report written."""

    async def on_start(self) -> None:
        self.readers = await self.start(Readers, *(f"reader-{n}" for n in range(1, 5)), name="readers")
        editors = await self.start(Crew, "critic", "writer", name="editors")
        self.critic, self.writer = self.ctx.system.children(editors)

    @actors.receive
    async def research(self, message: Research) -> AsyncIterator[str]:
        texts = sorted(str(path) for path in await trio.Path(message.folder).glob("*.txt"))
        facts = await self.readers.ask(ReadAll(texts))
        found = await self.critic.ask(Judge(facts))
        known = found["agreed"]
        for what, values in found["disputed"].items():
            known[what] = await self.decide(what, values)
        async with self.writer.stream(Write(known)) as words:
            async for word in words:
                yield word

    async def decide(self, what: str, values: dict[str, list[str]]) -> str:
        options = sorted(values, key=lambda value: len(values[value]), reverse=True)
        said = "; ".join(f"{value} in {' and '.join(sorted(values[value]))}" for value in options)
        text = f"The light was {what} {said}. Which is right?"
        answer = await self.ctx.system.desk.request("choice", text, tuple(options), key=what)
        return answer.value
