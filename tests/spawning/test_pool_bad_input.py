"""What makes no pool is refused at its making, or at its start, with the cure (contract §7)."""

from __future__ import annotations

import math
from typing import Any

import pytest
from trio.testing import MockClock

import actors
from actors import (
    Pool,
)
from actors.process import Command
from tests.spawning.hands import (
    Hand,
    Log,
    log,
)

__all__ = ["log"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"minimum": 3, "maximum": 2}, "minimum"),
        ({"minimum": -1}, "minimum"),
        ({"minimum": 0.5}, "minimum"),
        ({"maximum": 0}, "maximum"),
        ({"maximum": 101}, "maximum"),
        ({"routing": "random"}, "routing"),
        ({"routing": "key"}, "needs key="),
        ({"routing": "key", "key": 5}, "needs key="),
        ({"key": str}, 'key= goes with routing="key"'),
        ({"idle": 0.0}, "idle"),
        ({"idle": math.nan}, "idle"),
        ({"max_wait": 0}, "max_wait"),
        ({"max_wait": -1.0}, "max_wait"),
        ({"max_wait": math.nan}, "max_wait"),
        ({"on": "no such name!"}, "no such name!"),
        ({"on": ["beta", ""]}, "name"),
        ({"strategy": "one_for_all"}, "one_for_all"),
    ],
)
def test_what_makes_no_pool_is_refused_at_once(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Pool(Hand, **arguments)


@pytest.mark.parametrize("what", [5, "Hand", Log, None])
def test_what_makes_no_worker_is_refused_at_once(what: Any) -> None:
    with pytest.raises(actors.InvalidTemplate):
        Pool(what)


@pytest.mark.parametrize("wrap", [lambda what: what, actors.Template, lambda what: Pool(Pool(what))])
def test_a_process_is_no_worker_as_it_takes_no_messages(wrap: Any) -> None:
    with pytest.raises(actors.InvalidTemplate, match=r"Command takes no messages.* in a handler"):
        Pool(wrap(Command(["sleep", "60"])))


def test_limits_are_a_record() -> None:
    with pytest.raises(TypeError, match="limits"):
        Pool(Hand, limits={"cooldown": 1.0})  # type: ignore[arg-type]


def test_one_node_may_go_without_a_tuple() -> None:
    assert Pool(Hand, on="beta").on == ("beta",)
    assert Pool(Hand, on=["beta", "gamma"]).on == ("beta", "gamma")
    assert Pool(Hand).on == ()


async def test_a_worker_that_lacks_an_argument_is_a_failed_start(autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        with pytest.raises(actors.StartFailed, match="log"):
            await system.start(Pool(Hand), name="pool")
        assert system.find("/pool") is None
