"""Messages: `@message`, requests and wire tags (contract §1)."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

import actors


@actors.message
class Greet(actors.Request[str]):
    name: str
    times: int = 1


@actors.message(tag="note/2")
class Note:
    text: str


def test_a_message_is_a_frozen_record_with_slots() -> None:
    greet = Greet("Ada")
    assert (greet.name, greet.times, greet) == ("Ada", 1, Greet(name="Ada", times=1))
    assert greet != Greet("Bob")
    assert hash(greet) == hash(Greet("Ada"))
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        greet.name = "Bob"  # type: ignore[misc]
    assert not hasattr(greet, "__dict__")
    assert repr(greet) == "Greet(name='Ada', times=1)"


def test_a_request_is_one_after_the_decorator_too() -> None:
    assert isinstance(Greet("Ada"), actors.Request)
    assert not isinstance(Note("hi"), actors.Request)


def test_the_default_tag_is_module_and_qualname() -> None:
    class Local:
        pass

    local = actors.message(Local)
    assert actors.tag_of(Greet) == f"{__name__}.Greet"
    assert actors.tag_of(local) == f"{__name__}.{Local.__qualname__}"


def test_an_explicit_tag_is_kept() -> None:
    assert actors.tag_of(Note) == "note/2"


def test_defining_the_same_class_again_replaces_it() -> None:
    """As a reload does: same module, same name, another class."""

    def define() -> type:
        @actors.message
        class Reloaded:
            text: str

        return Reloaded

    first, second = define(), define()
    assert first is not second
    assert actors.tag_of(first) == actors.tag_of(second)


def test_a_tag_used_twice_is_a_value_error_that_names_both() -> None:
    with pytest.raises(actors.TagTaken, match="'note/2' belongs to") as caught:

        @actors.message(tag="note/2")
        class Other:
            pass

    error = caught.value
    assert isinstance(error, ValueError)
    assert (error.tag, error.owner, error.newcomer.__name__) == ("note/2", Note, "Other")
    assert f"{__name__}.Note" in str(error)
    assert "Other" in str(error)
    assert actors.tag_of(Note) == "note/2"


def test_an_explicit_tag_cannot_take_the_default_tag_of_another() -> None:
    with pytest.raises(actors.TagTaken):

        @actors.message(tag=f"{__name__}.Greet")
        class Thief:
            pass


class Plain:
    pass


class Derived(Note):  # type: ignore[misc]
    """Derived from a message, but not decorated."""


@pytest.mark.parametrize("cls", [Plain, int, actors.Request, Derived])
def test_a_class_without_the_decorator_is_not_serializable(cls: type) -> None:
    """The error names the type; a message's subclass needs the decorator, and thus a tag, of its own."""
    with pytest.raises(actors.NotSerializable) as caught:
        actors.tag_of(cls)
    assert caught.value.kind is cls
    assert f"{cls.__module__}.{cls.__qualname__} is not a message class" in str(caught.value)


def test_a_decorated_subclass_has_its_own_tag() -> None:
    @actors.message
    class Louder(Greet):
        volume: int = 11

    assert actors.tag_of(Louder) != actors.tag_of(Greet)
    assert Louder("Ada") == Louder("Ada", 1, 11)
    assert isinstance(Louder("Ada"), Greet)


@pytest.mark.parametrize("value", [5, "text", lambda: None])
def test_only_classes_are_messages(value: Any) -> None:
    with pytest.raises(TypeError, match="decorates a class"):
        actors.message(value)


def test_an_empty_tag_is_refused() -> None:
    with pytest.raises(ValueError, match="tag cannot be empty"):
        actors.message(tag="")(Plain)
    with pytest.raises(actors.NotSerializable):
        actors.tag_of(Plain)


def test_fields_may_have_defaults_and_factories() -> None:
    @actors.message
    class Job:
        steps: list[str] = attrs.field(factory=list)

    assert Job().steps == []
    assert Job().steps is not Job().steps


def test_terminated_is_a_plain_notice() -> None:
    """It is made by the framework; as a value it compares by ref and exit."""
    exit = actors.Exit(actors.ExitKind.NORMAL)
    assert actors.Terminated(None, exit) == actors.Terminated(None, exit)  # type: ignore[arg-type]
