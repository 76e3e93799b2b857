"""Nothing is lost silently and nothing happens twice, whatever is done to an actor at random.

The model is one line of the contract each: a told message is completed or one dead
letter (or `MailboxFull` at the teller), a request ends once with its own reply or an
error, one message is handled at a time, and each sender's order is kept.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import attrs
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

import actors
from tests.rounds import rounds


@attrs.frozen
class Job:
    number: int
    seconds: float
    fails: bool


@attrs.frozen
class Question(actors.Request[int]):
    number: int
    seconds: float
    fails: bool


class Busy(actors.Actor):
    """Notes the beginning and the end of each handling."""

    def __init__(self, log: list[tuple[str, int]]) -> None:
        self.log = log

    @actors.receive
    async def work(self, message: Job | Question) -> int:
        self.log.append(("begin", message.number))
        try:
            if message.seconds:
                await trio.sleep(message.seconds)
            if message.fails:
                raise ValueError(message.number)
        except BaseException:
            self.log.append(("broken", message.number))
            raise
        self.log.append(("end", message.number))
        return message.number


@attrs.define
class Run:
    """One random history and what came of it."""

    log: list[tuple[str, int]] = attrs.field(factory=list)
    told: list[int] = attrs.field(factory=list)
    bounced: list[int] = attrs.field(factory=list)
    pendings: dict[int, actors.Pending[int]] = attrs.field(factory=dict)
    withdrawn: set[int] = attrs.field(factory=set)
    letters: list[int] = attrs.field(factory=list)

    async def step(self, ref: actors.Ref, number: int, step: tuple[Any, ...]) -> None:
        what, seconds, fails = step
        if what in ("tell", "urgent"):
            try:
                ref.tell(Job(number, seconds, fails), urgent=what == "urgent")
                self.told.append(number)
            except actors.MailboxFull as full:
                self.bounced.append(full.message.number)
        elif what == "ask":
            self.pendings[number] = ref.request(Question(number, seconds, fails), timeout=5 + seconds)
        elif what == "cancel" and self.pendings:
            last = max(self.pendings)
            self.pendings[last].cancel()
            self.withdrawn.add(last)
        elif what == "interrupt":
            with trio.move_on_after(seconds):
                await ref.interrupt()
        elif what in ("suspend", "resume", "stop", "drain", "kill"):
            getattr(ref, what)()
        else:
            await trio.sleep(seconds)


CALM = st.sampled_from(["tell", "tell", "urgent", "ask", "ask", "pass", "pass", "cancel"])
ROUGH = st.sampled_from(["interrupt", "suspend", "resume", "resume", "pass"])
SECONDS = st.sampled_from([0.0, 0.0, 0.5, 1.0, 3.0])
FAILS = st.sampled_from([False, False, False, True])
STEPS = st.lists(st.tuples(st.one_of(CALM, CALM, ROUGH), SECONDS, FAILS), max_size=30)
END = st.sampled_from(["stop", "drain", "kill", "leave", "raise"])
POLICIES = st.builds(
    actors.Policy,
    restart=st.sampled_from(["permanent", "transient", "temporary"]),
    retries=st.integers(0, 2),
    backoff=st.sampled_from(
        [actors.Backoff(initial=0.0, maximum=0.0), actors.Backoff(initial=1.0, jitter=0.0)]
    ),
    breaker=st.sampled_from([None, actors.Breaker(failures=2, within=60.0, reset_after=5.0)]),
    mailbox=st.builds(
        actors.Mailbox,
        capacity=st.sampled_from([1, 2, 1000]),
        overflow=st.sampled_from(["reject", "drop_oldest", "drop_newest"]),
    ),
    shutdown=st.sampled_from([0.0, 1.0, 60.0]),
)


class Leave(Exception):
    """Raised by the body that ends with an error."""


async def history(steps: list[Any], end: str, policy: actors.Policy, name: str | None) -> Run:
    run = Run()
    system = None
    try:
        async with actors.open_system("alpha", strategy=actors.OneForOne(max_restarts=1000)) as system:
            ref = system.spawn(Busy, run.log, name=name, policy=policy)
            for number, step in enumerate(steps):
                await run.step(ref, number, step)
            ref.resume()
            if end == "raise":
                raise Leave
            if end != "leave":
                getattr(ref, end)()
    except Leave:
        pass
    assert system is not None
    run.letters = [letter.message.number for letter in system.dead_letters]
    return run


async def ends_of(run: Run) -> dict[int, Any]:
    """What each request came out with; none may wait any more."""
    ends: dict[int, Any] = {}
    for number, pending in run.pendings.items():
        assert pending.done
        try:
            ends[number] = await pending.wait()
        except actors.ActorError as error:
            ends[number] = error
    return ends


@settings(max_examples=rounds(120, deep=400))
@given(STEPS, END, POLICIES, st.sampled_from(["named", None]))
def test_every_message_comes_to_exactly_one_end(
    steps: list[Any], end: str, policy: actors.Policy, name: str | None
) -> None:
    """Completed, or one dead letter, or refused at the sender; replies go to whom they belong."""

    async def main() -> None:
        run = await history(steps, end, policy, name)
        completed = [number for what, number in run.log if what == "end"]
        told_completed = [number for number in completed if number in run.told]
        assert Counter(told_completed) + Counter(run.letters) == Counter(run.told)
        assert not set(run.bounced) & {number for _, number in run.log}
        for number, came in (await ends_of(run)).items():
            if isinstance(came, int):
                assert came == number
                assert number in completed
            elif number not in run.withdrawn and not isinstance(came, actors.AskTimeout):
                assert number not in completed

    trio.run(main, clock=MockClock(autojump_threshold=0))


@settings(max_examples=rounds(80, deep=200))
@given(STEPS, END, POLICIES)
def test_one_message_is_handled_at_a_time_in_the_order_of_its_lane(
    steps: list[Any], end: str, policy: actors.Policy
) -> None:
    """Each handling ends before the next begins, and no lane is reordered (but for redeliveries)."""

    async def main() -> None:
        run = await history(steps, end, policy, "named")
        assert [what for what, _ in run.log[::2]] == ["begin"] * len(run.log[::2])
        assert [number for _, number in run.log[::2]] == [number for _, number in run.log[1::2]]
        begun = list(dict.fromkeys(number for what, number in run.log if what == "begin"))
        urgent = [number for number in begun if steps[number][0] == "urgent"]
        normal = [number for number in begun if steps[number][0] != "urgent"]
        assert urgent == sorted(urgent)
        assert normal == sorted(normal)

    trio.run(main, clock=MockClock(autojump_threshold=0))
