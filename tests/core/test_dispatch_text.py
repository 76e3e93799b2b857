"""Annotations as text, as `from __future__ import annotations` makes them, are resolved all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from trio.testing import MockClock

import actors

if TYPE_CHECKING:
    from collections import OrderedDict


class Near(actors.Request[str]):
    pass


async def taker(cls: type[actors.Actor], message: Any) -> str:
    async with actors.open_system("alpha") as system:
        return await system.spawn(cls).ask(message, timeout=1.0)


class Text(actors.Actor):
    @actors.receive
    def near(self, message: Near) -> str:
        return "near"


async def test_a_message_of_the_module_is_found(autojump_clock: MockClock) -> None:
    assert await taker(Text, Near()) == "near"


async def test_a_message_of_the_enclosing_function_is_found(autojump_clock: MockClock) -> None:
    class Local(actors.Request[str]):
        pass

    class Other(actors.Request[str]):
        pass

    class Locals(actors.Actor):
        @actors.receive
        def local(self, message: Local | Other) -> str:
            return "local"

    assert await taker(Locals, Local()) == "local"
    assert await taker(Locals, Other()) == "local"


async def test_a_message_of_the_class_body_is_found(autojump_clock: MockClock) -> None:
    class Outer(actors.Actor):
        class Inner(actors.Request[str]):
            pass

        @actors.receive
        def inner(self, message: Inner) -> str:
            return "inner"

    assert await taker(Outer, Outer.Inner()) == "inner"


async def test_a_local_class_hides_one_of_the_module(autojump_clock: MockClock) -> None:
    """The annotation means what it means where it is written."""

    class Near(actors.Request[str]):
        pass

    class Shadow(actors.Actor):
        @actors.receive
        def near(self, message: Near) -> str:
            return "the local one"

    assert await taker(Shadow, Near()) == "the local one"
    with pytest.raises(actors.Unhandled):
        await taker(Shadow, globals()["Near"]())


def test_a_name_that_is_imported_for_checkers_only_raises_with_the_cure() -> None:
    with pytest.raises(TypeError, match=r"'OrderedDict' of 'message' cannot be resolved.*above the actor"):

        class Early(actors.Actor):
            @actors.receive
            def early(self, message: OrderedDict) -> None: ...  # type: ignore[type-arg]


def test_a_missing_annotation_raises_here_too() -> None:
    with pytest.raises(TypeError, match="does not say which message it takes"):

        class Missing(actors.Actor):
            @actors.receive
            def missing(self, message) -> None: ...  # type: ignore[no-untyped-def]
