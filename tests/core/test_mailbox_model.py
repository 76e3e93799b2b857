"""The lanes against a model that anybody can check by eye: three lists and a flag."""

from __future__ import annotations

import math
from typing import Any

import attrs
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from actors.core.mailbox import MARK, MESSAGE, REDELIVERED, Item, Lanes, Verdict
from actors.policy import Mailbox
from tests.rounds import rounds


@attrs.define
class Model:
    """What the contract says of a mailbox, without any cleverness."""

    capacity: float
    overflow: str
    again: list[Item] = attrs.field(factory=list)
    urgent: list[Item] = attrs.field(factory=list)
    normal: list[Item] = attrs.field(factory=list)
    closed: bool = False

    @property
    def waiting(self) -> list[Item]:
        return self.again + self.urgent + self.normal

    @property
    def counted(self) -> int:
        return 0 if self.closed else sum(one[MARK] is None for one in self.urgent + self.normal)

    def offer(self, item: Item, urgent: bool) -> Verdict | Item | None:
        if self.closed:
            return Verdict.CLOSED
        dropped = None
        if self.counted >= self.capacity:
            if self.overflow == "reject":
                return Verdict.FULL
            if self.overflow == "drop_newest":
                return Verdict.DROPPED
            dropped = next(one for one in self.normal + self.urgent if one[MARK] is None)
            (self.normal if dropped in self.normal else self.urgent).remove(dropped)
        (self.urgent if urgent else self.normal).append(item)
        return dropped

    def take(self) -> Item | None:
        lane = self.again or self.urgent or self.normal
        return lane.pop(0) if lane else None

    def remove(self, unwanted: Any) -> list[Item]:
        removed = [one for one in self.waiting if unwanted(one)]
        for lane in (self.again, self.urgent, self.normal):
            lane[:] = [one for one in lane if not unwanted(one)]
        return removed


class LanesMatchTheModel(RuleBasedStateMachine):
    """Random offers, takes, redeliveries, removals and closings: lanes and model answer alike."""

    @initialize(
        capacity=st.one_of(st.integers(1, 5), st.just(math.inf)),
        overflow=st.sampled_from(["reject", "drop_oldest", "drop_newest"]),
    )
    def open(self, capacity: float, overflow: Any) -> None:
        self.lanes = Lanes(Mailbox(capacity=capacity, overflow=overflow))
        self.model = Model(capacity, overflow)
        self.clock = 0
        self.hand: Item | None = None

    def _item(self, mark: Any = None) -> Item:
        self.clock += 1
        return (self.clock, None, None, float(self.clock), mark)

    @rule(urgent=st.booleans())
    def offer(self, urgent: bool) -> None:
        item = self._item()
        assert self.lanes.offer(item, urgent) == self.model.offer(item, urgent)

    @rule()
    def put_marked(self) -> None:
        item = self._item(mark="notice")
        assert self.lanes.put_marked(item) == (not self.model.closed)
        if not self.model.closed:
            self.model.normal.append(item)

    @rule()
    def take(self) -> None:
        self.hand = self.model.take()
        assert self.lanes.take() == self.hand

    @precondition(lambda self: getattr(self, "hand", None) is not None)
    @rule()
    def put_back(self) -> None:
        """The message in hand failed: it is the next one again, uncounted."""
        assert self.hand is not None
        self.lanes.put_back(self.hand)
        self.model.again.insert(0, (*self.hand[:MARK], REDELIVERED))
        self.hand = None

    @rule(modulus=st.integers(2, 4))
    def remove(self, modulus: int) -> None:
        def unwanted(one: Item) -> bool:
            return one[MESSAGE] % modulus == 0

        assert self.lanes.remove(unwanted) == self.model.remove(unwanted)

    @precondition(lambda self: hasattr(self, "clock") and self.clock > 8)
    @rule()
    def shut(self) -> None:
        self.lanes.shut()
        self.model.closed = True

    @precondition(lambda self: hasattr(self, "clock") and self.clock > 12)
    @rule()
    def close(self) -> None:
        assert self.lanes.close() == self.model.waiting
        self.model = Model(self.model.capacity, self.model.overflow, closed=True)

    @invariant()
    def they_look_alike(self) -> None:
        if not hasattr(self, "lanes"):
            return
        lanes, model = self.lanes, self.model
        waiting = model.waiting
        assert bool(lanes) == bool(waiting)
        assert lanes.closed == model.closed
        assert lanes.counted == model.counted
        assert sum(lanes.depth().values()) == len(waiting)
        assert lanes.oldest() == min((one[3] for one in waiting), default=None)
        if not model.closed:
            assert lanes.has_room == (model.counted < model.capacity)
            assert lanes.counted <= model.capacity
            assert lanes.depth() == {
                "system": sum(one[MARK] is not None for one in waiting),
                "urgent": len(model.urgent),
                "normal": sum(one[MARK] is None for one in model.normal),
            }


TestLanesMatchTheModel = LanesMatchTheModel.TestCase
TestLanesMatchTheModel.settings = settings(max_examples=rounds(100, deep=256), stateful_step_count=50)
