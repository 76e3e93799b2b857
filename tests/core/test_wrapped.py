"""Handlers and hooks that other people's decorators have wrapped (contract §2)."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from tests.core.cast import Echo, Fail, Sleep, logged, settled


@actors.message
class Hail(actors.Request[str]):
    """Known in this module alone, and not in that of `logged`."""


def traced(function: Callable[..., Any]) -> Callable[..., Any]:
    """An async wrapper around a plain function."""

    @functools.wraps(function)
    async def wrapper(*arguments: Any) -> Any:
        await trio.sleep(1)
        return function(*arguments)

    return wrapper


async def test_a_plain_wrapper_around_an_async_handler_is_awaited(autojump_clock: MockClock) -> None:
    class Wrapped(actors.Actor):
        @actors.receive
        @logged
        async def sleep(self, message: Sleep) -> str:
            await trio.sleep(message.seconds)
            return "wrapped and slept"

        @actors.receive
        @logged
        def echo(self, message: Echo) -> str:
            return f"wrapped {message.text}"

    async with actors.open_system("alpha") as system:
        wrapped = system.spawn(Wrapped)
        assert await wrapped.ask(Echo("hello")) == "wrapped hello"
        assert await wrapped.ask(Sleep(2)) == "wrapped and slept"
        assert trio.current_time() == pytest.approx(2.0)


async def test_a_wrapped_handler_refuses_and_fails_like_any(autojump_clock: MockClock) -> None:
    class Wrapped(actors.Actor):
        @actors.receive
        @logged
        async def fail(self, message: Fail) -> None:
            raise message.error

    async with actors.open_system("alpha") as system:
        wrapped = system.spawn(Wrapped)
        with pytest.raises(actors.Refused, match="no"):
            await wrapped.ask(Fail(actors.Refused("no")))
        with pytest.raises(actors.ActorFailed, match="broken"):
            await wrapped.ask(Fail(ValueError("broken")))
        assert (await wrapped.wait_stopped()).kind is actors.ExitKind.FAILED


async def test_a_wrapped_handler_is_interrupted_like_any(autojump_clock: MockClock) -> None:
    class Wrapped(actors.Actor):
        @actors.receive
        @logged
        async def sleep(self, message: Sleep) -> None:
            await trio.sleep_forever()

    async with actors.open_system("alpha") as system:
        wrapped = system.spawn(Wrapped)
        pending = wrapped.request(Sleep())
        await settled()
        assert await wrapped.interrupt() is True
        with pytest.raises(actors.Interrupted):
            await pending.wait()


async def test_a_plain_wrapper_around_an_async_hook_is_one(autojump_clock: MockClock) -> None:
    done: list[str] = []

    class Wrapped(actors.Actor):
        @logged
        async def on_start(self) -> None:
            await trio.sleep(1)
            done.append("started")

    async with actors.open_system("alpha") as system:
        await system.start(Wrapped)
        assert (done, trio.current_time()) == (["started"], pytest.approx(1.0))


async def test_an_async_wrapper_around_a_plain_handler_or_hook_is_awaited(autojump_clock: MockClock) -> None:
    done: list[str] = []

    class Wrapped(actors.Actor):
        @traced
        def on_start(self) -> None:
            done.append("started")

        @actors.receive
        @traced
        def echo(self, message: Echo) -> str:
            return message.text

    async with actors.open_system("alpha") as system:
        wrapped = await system.start(Wrapped)
        assert (done, trio.current_time()) == (["started"], pytest.approx(1.0))
        assert await wrapped.ask(Echo("traced")) == "traced"


async def test_the_annotation_of_a_wrapped_handler_is_that_of_its_own_module(
    autojump_clock: MockClock,
) -> None:
    """The wrapper's module need not know the message."""

    class Wrapped(actors.Actor):
        @actors.receive
        @logged
        async def hail(self, message: Hail) -> str:
            return "hailed"

    async with actors.open_system("alpha") as system:
        assert await system.spawn(Wrapped).ask(Hail()) == "hailed"
