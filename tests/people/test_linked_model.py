"""Three nodes that ask and answer at random while cables are cut: one decision each, and all agree."""

from __future__ import annotations

from collections import Counter
from typing import Any

import attrs
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

import actors
from actors.events import PersonAnswered, PersonAsked, PersonEvent, PersonTimedOut, PersonWithdrawn
from tests.core.stage import first_come_first_served
from tests.people.stage import Asked, Cut, asks, nodes, nothing_left, settled

NAMES = ("alpha", "beta", "gamma")
NODES = st.sampled_from(NAMES)
CABLES = st.sampled_from([("beta", "alpha"), ("gamma", "alpha"), ("gamma", "beta")])
NUMBERS = st.integers(0, 20)
STEPS = st.one_of(
    st.tuples(st.just("ask"), NODES, st.sampled_from([0.0, 0.5, 3.0, 100.0])),
    st.tuples(st.sampled_from(["answer", "decide", "extend", "twice"]), NODES, NUMBERS),
    st.tuples(st.just("cancel"), NODES, NUMBERS),
    st.tuples(st.just("stop"), NODES, NUMBERS),
    st.tuples(st.sampled_from(["cut", "silent", "mend"]), CABLES, st.just(0)),
    st.tuples(st.just("sleep"), st.just(""), st.sampled_from([0.0, 0.1, 2.0, 20.0])),
)
OVER = (PersonAnswered, PersonTimedOut, PersonWithdrawn)


@attrs.define
class Story:
    """What was told of requests: at each node, and where they were made."""

    asked: list[Asked] = attrs.field(factory=list[Asked])
    by: dict[str, str | None] = attrs.field(factory=dict[str, "str | None"])
    """Whose answer has counted, where it was asked."""
    ended: Counter[str] = attrs.field(factory=Counter[str])
    shown: set[tuple[str, str]] = attrs.field(factory=set[tuple[str, str]])
    faults: list[str] = attrs.field(factory=list[str])
    outcomes: dict[str, tuple[str, Exception | None]] = attrs.field(
        factory=dict[str, "tuple[str, Exception | None]"]
    )
    """By who has decided: which request, and what they were told."""

    def follow(self, system: actors.System) -> None:
        def hear(event: PersonEvent) -> None:
            place = system.name, event.request.id
            if isinstance(event, PersonAsked) is (place in self.shown):
                self.faults.append(f"{type(event).__name__} {place}")
            if isinstance(event, PersonAsked):
                self.shown.add(place)
            elif isinstance(event, OVER):
                self.shown.discard(place)
                if event.request.node == system.name:
                    self.ended[event.request.id] += 1
                    if isinstance(event, PersonAnswered):
                        self.by[event.request.id] = event.answer.by

        system.desk.watch(hear)


@given(st.lists(STEPS, min_size=5, max_size=30))
@settings(derandomize=True, deadline=None, database=None, max_examples=30)
def test_each_request_is_decided_once_and_all_nodes_agree(program: list[Any]) -> None:
    with first_come_first_served():
        trio.run(_play, program, clock=MockClock(autojump_threshold=0))


async def _play(program: list[Any]) -> None:
    async with nodes(*NAMES, lease=5.0) as world, trio.open_nursery() as nursery:
        story = Story()
        for name in NAMES:
            story.follow(world[name])
        for number, step in enumerate(program):
            await _do(world, nursery, story, number, *step)
        for cable in set(world.cables_of("alpha") + world.cables_of("beta")):
            cable.mend()
        await trio.sleep(60)
        assert len({tuple(sorted(one.id for one in world[name].desk.pending())) for name in NAMES}) == 1
        for number, request in enumerate(world["alpha"].desk.pending()):
            await world[NAMES[number % 3]].desk.decide(request.id, True, by="the last one")
        await settled()
        for one in story.asked:
            assert one.over.is_set()
        assert (story.shown, story.faults) == (set(), [])
        assert len(story.ended) == len(story.asked)
        assert set(story.ended.values()) <= {1}
        for by, (request_id, error) in story.outcomes.items():
            if error is None:
                assert story.by[request_id] == by
            elif isinstance(error, actors.AlreadyAnswered | actors.RequestExpired):
                assert story.by.get(request_id) != by
            else:
                assert isinstance(error, actors.NodeLost | actors.DeskError), error
        assert sorted(one.by or "" for one in story.asked if one.value is True) == sorted(story.by.values())  # pyright: ignore
        nothing_left(*(world[name] for name in NAMES))


async def _do(
    world: Cut, nursery: trio.Nursery, story: Story, number: int, what: str, where: Any, how: Any
) -> None:
    if what == "sleep":
        await trio.sleep(how)
        return
    if what in ("cut", "silent", "mend"):
        getattr(world._cables[where], what)()  # pyright: ignore[reportPrivateUsage]
        return
    desk: actors.Desk = world[where].desk
    if what == "ask":
        asked = await asks(nursery, world[where], f"{number}?", timeout=how, default=False)
        story.asked.append(asked)
        return
    if what == "cancel":
        if story.asked:
            story.asked[how % len(story.asked)].scope.cancel()
        return
    if what == "stop":
        clerk = world[where].find("/system/desk")
        if clerk is not None and how < 5:
            clerk.kill()
        return
    pending = desk.pending()
    if not pending:
        return
    request = pending[how % len(pending)]
    if what == "extend":
        desk.extend(request.id, 1.0)
    elif what == "answer":
        desk.answer(request.id, True, by=f"{number}")
    else:
        for name in NAMES if what == "twice" else (where,):
            nursery.start_soon(_decide, world[name], story, request.id, f"{number} at {name}")
        await trio.lowlevel.checkpoint()


async def _decide(system: actors.System, story: Story, request_id: str, by: str) -> None:
    error = None
    try:
        await system.desk.decide(request_id, True, by=by)
    except actors.ActorError as caught:
        error = caught
    story.outcomes[by] = request_id, error
