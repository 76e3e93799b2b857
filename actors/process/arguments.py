"""What `Command` takes: checked when it is written, so that a mistake shows there and not at a start."""

from __future__ import annotations

import inspect
import json
import os
import shlex
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias, cast

import attrs

from actors.outcome import Outcome
from actors.process.marked import MARK

__all__ = [
    "Environment",
    "OnOutput",
    "Word",
    "as_argv",
    "as_cwd",
    "as_environment",
    "as_input",
    "check_count",
    "check_on_output",
    "environment_of",
]

Word: TypeAlias = "str | bytes | os.PathLike[str] | os.PathLike[bytes]"
"""A program, an argument or a folder."""
Environment: TypeAlias = Mapping[str, str]
"""The whole environment of a process."""
OnOutput: TypeAlias = Callable[[str, bytes], object]
"""Called with "stdout" or "stderr", and a line without its newline."""


def as_argv(argv: object, what: str = "Command") -> tuple[str | bytes, ...]:
    """`argv` as a tuple; TypeError for anything but a list or tuple of words, ValueError for none."""
    if isinstance(argv, str | bytes | os.PathLike):
        raise TypeError(_why_no_string(cast("Word", argv), what))
    if not isinstance(argv, list | tuple):
        raise TypeError(
            f"argv must be a list of the program and its arguments, not {argv!r}: write {what}(['ls', '-l'])"
        )
    words = cast("list[object] | tuple[object, ...]", argv)
    if not words:
        raise ValueError(f"argv is empty: its first word is the program, as in {what}(['ls', '-l'])")
    return tuple(_as_word(f"argv[{index}]", word) for index, word in enumerate(words))


def _why_no_string(argv: Word, what: str) -> str:
    text = os.fsdecode(argv)
    try:
        words = shlex.split(text)
    except ValueError:  # an open quote
        words = [text]
    return (
        f"argv must be a list, not the string {text!r}: write {what}({words!r}); "
        f"for pipes and wildcards, {what}(['sh', '-c', {text!r}])"
    )


def _as_word(what: str, word: object) -> str | bytes:
    if not isinstance(word, str | bytes | os.PathLike):
        raise TypeError(f"{what} must be str, bytes or a path, not {word!r}: write str({word!r})")
    plain = os.fspath(cast("Word", word))
    if (b"\0" if isinstance(plain, bytes) else "\0") in plain:  # type: ignore[operator]
        raise ValueError(f"{what} has a NUL in it, which ends a word: {plain!r}")
    return plain


def as_cwd(cwd: Word | None) -> str | bytes | None:
    """The folder as str or bytes; whether it is there shows at the start."""
    return None if cwd is None else _as_word("cwd", cwd)


def as_environment(env: Environment | None) -> Environment | None:
    """A copy that nobody can change; TypeError and ValueError for what no environment can hold."""
    if env is None:
        return None
    if not isinstance(env, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"env must be a mapping of names to values, not {env!r}: write {{**os.environ, ...}}")
    copy = dict(env)
    for name, value in copy.items():
        if not isinstance(name, str) or not isinstance(value, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(
                f"env[{name!r}] must be str by str, not {value!r}: write env[str(name)] = str(value)"
            )
        if not name or "=" in name or "\0" in name:
            raise ValueError(
                f"{name!r} cannot be the name of a variable: it is empty, or has '=' or NUL in it"
            )
        _as_word(f"env[{name!r}]", value)
    return MappingProxyType(copy)


def environment_of(env: Environment | None, dependencies: Mapping[str | int, Outcome]) -> Environment | None:
    """The environment of a process: of a job that comes after others, with how those have ended."""
    if env is not None and MARK in os.environ:  # who clears its environment would be lost to a node's end
        env = {**env, MARK: os.environ[MARK]}
    if not dependencies:
        return env
    told = {key: {"ok": one.ok, "failure": one.failure} for key, one in dependencies.items()}
    failed = [str(key) for key, one in dependencies.items() if not one.ok]
    return {
        **(os.environ if env is None else env),
        "ACTORS_DEPENDENCIES": json.dumps(told),
        "ACTORS_FAILED_DEPENDENCIES": " ".join(failed),
    }


def as_input(input: str | bytes | bytearray | memoryview | None) -> bytes | None:
    """The bytes for stdin; text is UTF-8."""
    if input is None:
        return None
    if isinstance(input, str):
        return input.encode()
    if not isinstance(input, bytes | bytearray | memoryview):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(
            f"input must be bytes or str, not {input!r}: read the file, or encode the object first"
        )
    return bytes(input)


def check_count(least: int) -> Any:
    """A validator of attrs: a whole number of at least `least`."""

    def check(_: object, field: attrs.Attribute[int], value: object) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ValueError(f"{field.name} must be a whole number of bytes, {least} or more, not {value!r}")

    return check


def check_on_output(_: object, field: object, value: object) -> None:
    """A validator of attrs: a plain callable, or None."""
    if value is None:
        return
    if not callable(value):
        raise TypeError(f"on_output must be callable as on_output(stream, line), not {value!r}")
    if inspect.iscoroutinefunction(value):
        raise TypeError(
            f"on_output must be a plain function, not the async {value!r}: "
            f"let it tell an actor, as in `lambda stream, line: ref.tell(line)`"
        )
