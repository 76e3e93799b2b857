"""Which handler takes which message, and what is refused when the class is defined.

Annotations are real objects here; `test_dispatch_text` has them as text.
"""

import typing
from collections.abc import Callable
from typing import Annotated, Any, Generic, Optional, TypeVar

import pytest
import trio
from trio.testing import MockClock

import actors
from actors.core.dispatch import build_table

T = TypeVar("T")


class Animal(actors.Request[str]):
    pass


class Bird(Animal):
    pass


class Duck(Bird):
    pass


class Fish(Animal):
    pass


class Box(actors.Request[str], Generic[T]):
    pass


async def taker(cls: type[actors.Actor], message: Any) -> str:
    """The name that the handler for `message` answers with."""
    async with actors.open_system("alpha") as system:
        return await system.spawn(cls).ask(message, timeout=1.0)


class Zoo(actors.Actor):
    @actors.receive
    def animal(self, message: Animal) -> str:
        return "animal"

    @actors.receive
    async def duck(self, message: Duck) -> str:
        await trio.lowlevel.checkpoint()
        return "duck"


@pytest.mark.parametrize(
    ("message", "handler"),
    [(Duck(), "duck"), (Bird(), "animal"), (Fish(), "animal"), (Animal(), "animal")],
    ids=lambda value: type(value).__name__,
)
async def test_the_exact_type_comes_first_then_the_nearest_base(
    autojump_clock: MockClock, message: Any, handler: str
) -> None:
    assert await taker(Zoo, message) == handler


async def test_a_nearer_base_beats_a_farther_one(autojump_clock: MockClock) -> None:
    class Birds(Zoo):
        @actors.receive
        def bird(self, message: Bird) -> str:
            return "bird"

    class Duckling(Duck):
        pass

    assert await taker(Birds, Bird()) == "bird"
    assert await taker(Birds, Duckling()) == "duck"


@pytest.mark.parametrize(
    "annotation",
    [
        Bird | Fish,
        typing.Union[Bird, Fish],  # noqa: UP007
        Annotated[Bird | Fish, "both"],
        Optional[Bird | Fish],  # noqa: UP045
    ],
    ids=str,
)
async def test_a_union_is_several_types(autojump_clock: MockClock, annotation: Any) -> None:
    class Both(actors.Actor):
        @actors.receive
        def both(self, message: annotation) -> str:  # type: ignore[valid-type]
            return "both"

    assert await taker(Both, Bird()) == "both"
    assert await taker(Both, Fish()) == "both"
    with pytest.raises(actors.Unhandled):
        await taker(Both, Animal())


@pytest.mark.parametrize("annotation", [object, Any])
async def test_object_and_any_take_everything_else(autojump_clock: MockClock, annotation: Any) -> None:
    class Rest(actors.Actor):
        @actors.receive
        def fish(self, message: Fish) -> str:
            return "fish"

        @actors.receive
        def rest(self, message: annotation) -> str:  # type: ignore[valid-type]
            return "rest"

    assert await taker(Rest, Fish()) == "fish"
    assert await taker(Rest, Duck()) == "rest"


async def test_a_generic_message_is_taken_by_its_class(autojump_clock: MockClock) -> None:
    class Boxes(actors.Actor):
        @actors.receive
        def box(self, message: Box[int]) -> str:
            return "box"

    assert await taker(Boxes, Box[int]()) == "box"


async def test_a_message_class_may_be_defined_in_the_actor_itself(autojump_clock: MockClock) -> None:
    class Outer(actors.Actor):
        class Inner(actors.Request[str]):
            pass

        @actors.receive
        def inner(self, message: Inner) -> str:
            return "inner"

    assert await taker(Outer, Outer.Inner()) == "inner"


async def test_an_overriding_method_stays_the_handler_without_a_second_receive(
    autojump_clock: MockClock,
) -> None:
    class Quiet(Zoo):
        def animal(self, message: Animal) -> str:
            return "quiet " + super().animal(message)

    assert await taker(Quiet, Fish()) == "quiet animal"
    assert await taker(Quiet, Duck()) == "duck"
    assert await taker(Zoo, Fish()) == "animal"


async def test_an_override_with_its_own_receive_takes_what_it_says(autojump_clock: MockClock) -> None:
    class OnlyBirds(Zoo):
        @actors.receive
        def animal(self, message: Bird) -> str:  # type: ignore[override]
            return "bird"

    assert await taker(OnlyBirds, Bird()) == "bird"
    with pytest.raises(actors.Unhandled):
        await taker(OnlyBirds, Fish())


async def test_handlers_of_a_mixin_are_inherited(autojump_clock: MockClock) -> None:
    class Swims:
        @actors.receive
        def swim(self, message: Fish) -> str:
            return "swims"

    class Pond(Swims, actors.Actor):
        pass

    assert await taker(Pond, Fish()) == "swims"


async def test_a_handler_may_have_more_parameters_with_defaults(autojump_clock: MockClock) -> None:
    class Extra(actors.Actor):
        @actors.receive
        def fish(self, message: Fish, times: int = 2, *, loud: bool = False) -> str:
            return f"{times} {loud}"

    assert await taker(Extra, Fish()) == "2 False"


def one_handler(handler: Callable[..., Any]) -> Callable[[], type]:
    """A class statement with this one handler, not yet executed."""
    return lambda: type("Wrong", (actors.Actor,), {"take": actors.receive(handler)})


def no_annotation(self, message): ...  # type: ignore[no-untyped-def]
def no_message(self) -> None: ...  # type: ignore[no-untyped-def]
def nothing() -> None: ...
def two_messages(self, one: Fish, two: Bird) -> None: ...  # type: ignore[no-untyped-def]
def only_keyword(self, *, message: Fish) -> None: ...  # type: ignore[no-untyped-def]
def only_many(self, *messages: Fish) -> None: ...  # type: ignore[no-untyped-def]
def two_required(self, message: Fish, *, loud: bool) -> None: ...  # type: ignore[no-untyped-def]
def not_a_class(self, message: 5) -> None: ...  # type: ignore[no-untyped-def,valid-type]
def a_literal(self, message: typing.Literal["a"]) -> None: ...  # type: ignore[no-untyped-def]
def a_union_with_text(self, message: Fish | typing.Literal["a"]) -> None: ...  # type: ignore[no-untyped-def]
def unknown_name(self, message: "Nowhere") -> None: ...  # type: ignore[no-untyped-def,name-defined]  # noqa: F821
def a_generator(self, message: Fish):  # type: ignore[no-untyped-def]
    yield "reply"


@pytest.mark.parametrize(
    ("handler", "said"),
    [
        (no_annotation, "does not say which message it takes"),
        (no_message, "must take one message besides self"),
        (nothing, "must take one message besides self"),
        (two_messages, "must take one message besides self"),
        (only_keyword, "must take one message besides self"),
        (only_many, "must take one message besides self"),
        (two_required, "must take one message besides self"),
        (not_a_class, "not a class"),
        (a_literal, "not a class"),
        (a_union_with_text, "not a class"),
        (unknown_name, "cannot be resolved"),
        (a_generator, "is a generator"),
    ],
)
def test_a_wrong_handler_raises_when_the_class_is_defined(handler: Callable[..., Any], said: str) -> None:
    """The TypeError names the method and says what is wrong."""
    with pytest.raises(TypeError, match=said) as caught:
        one_handler(handler)()
    assert handler.__name__ in str(caught.value)


@pytest.mark.parametrize("value", [5, "text", None, object()])
def test_receive_decorates_methods_only(value: Any) -> None:
    with pytest.raises(TypeError, match="decorates a method"):
        actors.receive(value)


def test_two_handlers_for_one_type_raise_naming_both() -> None:
    with pytest.raises(TypeError, match=r"two handlers for Fish: one and two"):

        class Twice(actors.Actor):
            @actors.receive
            def one(self, message: Fish) -> None: ...

            @actors.receive
            def two(self, message: Bird | Fish) -> None: ...


def test_a_subclass_cannot_handle_a_type_under_a_second_name() -> None:
    with pytest.raises(TypeError, match=r"two handlers for Duck: duck and another"):

        class Again(Zoo):
            @actors.receive
            def another(self, message: Duck) -> None: ...


def test_naming_one_type_twice_in_a_union_is_naming_it_once() -> None:
    class Same(actors.Actor):
        @actors.receive
        def same(self, message: typing.Union[Fish, Annotated[Fish, "again"]]) -> None: ...  # noqa: UP007


async def test_a_wrong_subclass_leaves_its_base_as_it_was(autojump_clock: MockClock) -> None:
    with pytest.raises(TypeError):
        type("Broken", (Zoo,), {"another": actors.receive(lambda self, message: None)})
    assert await taker(Zoo, Duck()) == "duck"


async def test_none_is_a_message_like_any(autojump_clock: MockClock) -> None:
    class Nothing(actors.Actor):
        taken = 0

        @actors.receive
        def nothing(self, message: None) -> None:
            type(self).taken += 1

    async with actors.open_system("alpha") as system:
        ref = system.spawn(Nothing)
        ref.tell(None)
        ref.drain()
        await ref.wait_stopped()
    assert Nothing.taken == 1


async def test_a_handler_whose_message_has_a_default_is_one(autojump_clock: MockClock) -> None:
    class Default(actors.Actor):
        @actors.receive
        def fish(self, message: Fish | None = None) -> str:
            return "fish"

    assert await taker(Default, Fish()) == "fish"


def test_an_alias_stands_for_what_it_names() -> None:
    """As `type Either = First | Second` does, from Python 3.12 on."""

    class First: ...

    class Second: ...

    class Either:
        __value__ = First | Second

    class Reader(actors.Actor):
        @actors.receive
        def read(self, message: Either()) -> None: ...  # type: ignore[valid-type]

    assert set(build_table(Reader)) == {First, Second}


def test_a_handler_that_is_overridden_by_nothing_is_none_any_more() -> None:
    class Note: ...

    class Base(actors.Actor):
        @actors.receive
        def note(self, message: Note) -> None: ...

    class Deaf(Base):
        note = None  # type: ignore[assignment]

    assert (set(build_table(Base)), build_table(Deaf)) == ({Note}, {})
