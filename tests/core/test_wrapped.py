"""Handlers and hooks that other people's decorators have wrapped (contract §2)."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from tests.core.cast import Echo, Fail, Sleep, settled


def logged(function: Callable[..., Any]) -> Callable[..., Any]:
    """A plain wrapper, as decorators for logs, retries and traces make them."""

    @functools.wraps(function)
    def wrapper(*arguments: Any) -> Any:
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
