"""What the calls for many actors refuse at the door, before anybody is asked or stopped."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import pytest
from trio.testing import MockClock

import actors
from actors import Ref
from tests.spawning.voters import Book, Give, Plain

Call = Callable[..., Awaitable[Any]]
CALLS: list[Call] = [actors.sequential, actors.parallel, actors.consensus]
each = pytest.mark.parametrize("call", CALLS, ids=lambda call: call.__name__)
ALL: list[Any] = [*CALLS, actors.stop_all]


@pytest.fixture
async def ref(autojump_clock: MockClock) -> AsyncGenerator[Ref]:
    """An actor that nobody may ask."""
    async with actors.open_system("s") as system:
        made = await system.start(Plain, Book(), 1)
        yield made
        assert made.statistics().handled == 0


@pytest.mark.parametrize("call", ALL, ids=lambda call: call.__name__)
async def test_what_is_no_list_of_refs_is_refused_before_anybody_is_asked(ref: Ref, call: Any) -> None:
    more = () if call is actors.stop_all else (Give(),)
    with pytest.raises(TypeError, match=r"refs must be a list of refs, not <.*write \[ref\]"):
        await call(ref, *more)
    with pytest.raises(TypeError, match="refs must be a list of refs, not None"):
        await call(None, *more)
    with pytest.raises(TypeError, match=r"refs\[1\] is '/a', not a Ref"):
        await call([ref, "/a"], *more)
    with pytest.raises(TypeError, match=r"refs\[0\] is \[<.*>\], not a Ref"):
        await call([[ref]], *more)
    assert ref.state is not actors.ActorState.STOPPED


@each
@pytest.mark.parametrize("request_", ["hello", None, Give, ValueError])
async def test_what_is_no_request_is_refused(ref: Ref, call: Call, request_: Any) -> None:
    with pytest.raises(TypeError, match=r"is not a Request and has no reply|is a class, not a message"):
        await call([ref], request_)


async def test_only_sequential_takes_a_function_and_no_async_one(ref: Ref) -> None:
    async def step(ref: Ref, so_far: Any) -> Any: ...

    for call in (actors.parallel, actors.consensus):
        with pytest.raises(TypeError, match="not a Request"):
            await call([ref], lambda ref, so_far: Give())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="not the async"):
        await actors.sequential([ref], step)  # type: ignore[arg-type]


@each
@pytest.mark.parametrize("timeout", [-1.0, float("nan"), "5", True])
async def test_a_bad_timeout_is_refused(ref: Ref, call: Call, timeout: Any) -> None:
    with pytest.raises(ValueError, match="timeout must be"):
        await call([ref], Give(), timeout=timeout)


@pytest.mark.parametrize("limit", [0, -1, 1.5, True, "2", float("nan")])
async def test_a_limit_is_a_whole_number_from_one(ref: Ref, limit: Any) -> None:
    with pytest.raises(ValueError, match="limit must be a whole number of 1 or more"):
        await actors.parallel([ref], Give(), limit=limit)


@pytest.mark.parametrize("quorum", [0, -1, 2, 1.5, True, "1"])
async def test_a_quorum_is_from_one_to_the_number_asked(ref: Ref, quorum: Any) -> None:
    """Who is named twice counts once."""
    with pytest.raises(ValueError, match="quorum"):
        await actors.consensus([ref, ref], Give(), quorum=quorum)
