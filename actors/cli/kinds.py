"""What is started: a class of Python, or a program of one of three kinds; and the keys that go with each.

Agents, roles of teams and templates of `actors mcp` say it with the same keys. What a key may hold is said by
the classes that it is for, `Command`, `Lines` and `Terminal`; None is what a file does not say.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final, Literal

import attrs

from actors.process import Command, Lines, Terminal

__all__ = ["KINDS", "PROGRAMS", "WhatSpec", "of", "reference_check", "said"]

PROGRAMS: Final[Mapping[str, type]] = {"command": Command, "lines": Lines, "terminal": Terminal}
"""Key with the words of a program → what is made of it."""
KINDS: Final = ("class", *PROGRAMS)


def of(*kinds: str, **more: Any) -> dict[str, Any]:
    """The metadata of a key that goes with some kinds alone."""
    return {"of": kinds, **more}


def _words(_: object, __: object, value: tuple[str, ...] | None) -> None:
    if value == ():
        raise ValueError('the command is empty: its first word is the program, as in ["ls", "-l"]')
    if any("\0" in word for word in value or ()):
        raise ValueError("a word of the command has a NUL in it, which ends a word")


def reference_check(_: object, __: object, value: str | None) -> None:
    """A validator: `package.module:Name`."""
    module, colon, name = (value or "a:b").partition(":")
    if not (colon and all(part.isidentifier() for part in (*module.split("."), *name.split(".")))):
        raise ValueError(f'"{value}" does not name a class: write "package.module:Class"')


def _folder(_: object, field: attrs.Attribute[Any], value: str | None) -> None:
    if value is not None and (not value or "\0" in value):
        raise ValueError(f"{field.name} does not name a folder: it is empty, or has a NUL in it")


def _variables(_: object, __: object, value: Mapping[str, str]) -> None:
    for name in value:
        if not name or "=" in name or "\0" in name + value[name]:
            raise ValueError(f"{name!r} cannot be a variable: it is empty, or has '=' or NUL in it")


def _as_there(_: object, field: attrs.Attribute[Any], value: object) -> None:
    """The checks of the arguments of this name."""
    if value is None or value is False:
        return
    for kind in field.metadata["of"]:
        there: Any = attrs.fields_dict(PROGRAMS[kind])[field.name]
        found = value if there.converter is None else there.converter(value)
        if there.validator is not None:
            there.validator(None, there, found)


def _bytes(_: object, field: attrs.Attribute[Any], value: int | None) -> None:
    if value is not None and value < 0:
        raise ValueError(f"{field.name} must be 0 bytes or more, not {value}")


def _argument(*kinds: str, **more: Any) -> Any:
    """An argument of the same name, which is theirs to check."""
    return attrs.field(default=None, metadata=of(*kinds, passed=True, **more), validator=_as_there)


def _flag(default: bool, *kinds: str) -> Any:
    """Such an argument with a default of its own: `false` is not what was not said."""
    return attrs.field(default=default, metadata=of(*kinds, passed=True))


@attrs.frozen(kw_only=True)
class WhatSpec:
    """One of `KINDS`, with what goes with it."""

    called: ClassVar[str] = "it"

    class_: str | None = attrs.field(default=None, metadata={"key": "class"}, validator=reference_check)
    config: dict[str, Any] = attrs.field(factory=dict[str, Any], metadata=of("class"))
    command: tuple[str, ...] | None = attrs.field(default=None, validator=_words)
    lines: tuple[str, ...] | None = attrs.field(default=None, validator=_words)
    terminal: tuple[str, ...] | None = attrs.field(default=None, validator=_words)
    cwd: str | None = attrs.field(default=None, metadata=of(*PROGRAMS), validator=_folder)
    env: dict[str, str] = attrs.field(factory=dict[str, str], metadata=of(*PROGRAMS), validator=_variables)
    ready: str | Literal[False] | None = _argument("command", "lines")
    input: str | None = _argument("command")
    check: bool = _flag(True, "command", "terminal")
    max_output: int | None = attrs.field(
        default=None, metadata=of("command", "lines", passed=True), validator=_bytes
    )
    linger: float | None = _argument(*PROGRAMS)
    protocol: Literal["json", "text"] | None = _argument("lines")
    ready_within: float | Literal[False] | None = _argument("lines", off=None)
    in_flight: int | None = _argument("lines")
    confirm: bool = _flag(False, "lines")
    max_line: int | None = _argument("lines")
    max_garbage: int | Literal[False] | None = _argument("lines", off=None)
    stop_within: float | None = _argument("lines")
    prompt: str | None = _argument("terminal")
    cooldown: float | None = _argument("terminal")
    prompt_timeout: float | None = _argument("terminal")
    quiet: float | None = _argument("terminal")
    submit: str | None = _argument("terminal")
    interrupt_key: str | None = _argument("terminal")
    interrupt_timeout: float | None = _argument("terminal")
    echo: bool = _flag(True, "terminal")
    multiline: bool = _flag(False, "terminal")
    width: int | None = _argument("terminal")
    height: int | None = _argument("terminal")
    history: int | None = _argument("terminal")
    folder: str | None = attrs.field(default=None, metadata=of("terminal"), validator=_folder)
    keep: bool = _flag(False, "terminal")
    term: str | None = _argument("terminal")
    tmux: str | None = _argument("terminal")

    def __attrs_post_init__(self) -> None:
        given = [kind for kind in KINDS if self._words_of(kind) is not None]
        if len(given) != 1:
            count = " and ".join(f'"{kind}"' for kind in given) or "none"
            raise ValueError(f"{self.called} has one of {', '.join(KINDS)}, this one has {count}")
        [kind] = given
        for field in attrs.fields(type(self)):
            if kind not in field.metadata.get("of", KINDS) and getattr(self, field.name) != _default(field):
                raise ValueError(
                    f'"{field.metadata.get("key", field.name)}" does not go with "{kind}": take it out'
                )
        if kind == "terminal" and self.prompt is None:
            raise ValueError('a terminal needs a "prompt": how its screen ends when it waits, as in "[$] $"')
        if self.keep and self.folder is None:
            raise ValueError('"keep" needs a "folder", in which the next start finds the terminal')

    @property
    def kind(self) -> str:
        """One of `KINDS`."""
        return next(kind for kind in KINDS if self._words_of(kind) is not None)

    @property
    def words(self) -> tuple[str, ...]:
        """The program and its arguments; () for a class."""
        return self.command or self.lines or self.terminal or ()

    def _words_of(self, kind: str) -> object:
        return self.class_ if kind == "class" else getattr(self, kind)


def _default(field: attrs.Attribute[Any]) -> Any:
    factory: Any = getattr(field.default, "factory", None)
    return field.default if factory is None else factory()


def said(spec: WhatSpec) -> dict[str, Any]:
    """The arguments that a file gives by keys of the same name."""
    found: dict[str, Any] = {}
    for field in attrs.fields(WhatSpec):
        value = getattr(spec, field.name)
        if "passed" in field.metadata and spec.kind in field.metadata["of"] and value is not None:
            found[field.name] = field.metadata["off"] if value is False and "off" in field.metadata else value
    return found
