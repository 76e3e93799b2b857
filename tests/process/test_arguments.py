from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import pytest

from actors.process import Command


async def an_async_callback(stream: str, line: bytes) -> None: ...


def test_words_may_be_str_bytes_and_paths() -> None:
    """Paths become text, the rest stays."""
    command = Command(["ls", b"-l", Path("/tmp")], cwd=Path("/"))
    assert command.argv == ("ls", b"-l", "/tmp")
    assert command.cwd == "/"


def test_a_tuple_is_as_good_as_a_list() -> None:
    """Both are the same command."""
    assert Command(("ls", "-l")) == Command(["ls", "-l"])


def test_the_defaults() -> None:
    """One mebibyte of output, a code that counts, one second to linger."""
    command = Command(["ls"])
    assert (command.max_output, command.check, command.linger, command.max_line) == (2**20, True, 1.0, 2**16)
    assert (command.cwd, command.env, command.input, command.on_output) == (None, None, None, None)


def test_a_string_is_refused_with_the_cure() -> None:
    """The error shows the call as it should be."""
    with pytest.raises(TypeError, match=r"write Command\(\['ls', '-l', 'my file'\]\); .*'sh', '-c'"):
        Command("ls -l 'my file'")


def test_a_string_with_an_open_quote_is_refused_too() -> None:
    """What cannot be split is shown whole."""
    with pytest.raises(TypeError, match="write Command"):
        Command("it's")


@pytest.mark.parametrize("argv", [b"ls", Path("/bin/ls"), {"ls"}, None, 7])
def test_only_a_list_is_an_argv(argv: Any) -> None:
    """Anything else raises TypeError."""
    with pytest.raises(TypeError, match="argv must be a list"):
        Command(argv)


def test_an_empty_argv_is_refused() -> None:
    """There is no program in it."""
    with pytest.raises(ValueError, match="argv is empty"):
        Command([])


def test_a_word_of_another_type_is_refused_by_its_place() -> None:
    """The error names the word and the cure."""
    wrong: Any = ["sleep", 5]
    with pytest.raises(TypeError, match=r"argv\[1\] must be str, bytes or a path, not 5: write str\(5\)"):
        Command(wrong)


@pytest.mark.parametrize("word", ["a\0b", b"a\0b"])
def test_a_word_with_a_nul_is_refused(word: Any) -> None:
    """No program could be given it."""
    with pytest.raises(ValueError, match=r"argv\[1\] has a NUL"):
        Command(["echo", word])


def test_the_environment_is_copied_and_not_shown() -> None:
    """Later changes do not reach it, and its secrets do not reach a log."""
    env = {"KEY": "secret"}
    command = Command(["env"], env=env, input="secret")
    env["KEY"] = "changed"
    assert command.env == {"KEY": "secret"}
    assert "secret" not in repr(command)
    assert hash(command) == hash(Command(["env"], env=command.env, input="secret"))


@pytest.mark.parametrize("env", [["A=b"], {"A": 1}, {b"A": "b"}])
def test_an_environment_of_another_type_is_refused(env: Any) -> None:
    """Names and values are text."""
    with pytest.raises(TypeError, match="env"):
        Command(["env"], env=env)


@pytest.mark.parametrize("env", [{"": "b"}, {"A=B": "c"}, {"A\0": "b"}, {"A": "b\0"}])
def test_an_impossible_environment_is_refused(env: dict[str, str]) -> None:
    """No process could be given it."""
    with pytest.raises(ValueError, match=r"variable|NUL"):
        Command(["env"], env=env)


@pytest.mark.parametrize("data", ["grün", "grün".encode(), bytearray("grün".encode())])
def test_input_is_bytes_or_text(data: Any) -> None:
    """Text is UTF-8."""
    assert Command(["cat"], input=data).input == b"gr\xc3\xbcn"


def test_other_input_is_refused() -> None:
    """An object has to be encoded by whoever knows how."""
    wrong: Any = {"a": 1}
    with pytest.raises(TypeError, match="input must be bytes or str"):
        Command(["cat"], input=wrong)


@pytest.mark.parametrize(
    "options",
    [
        {"max_output": -1},
        {"max_output": 1.5},
        {"max_output": True},
        {"max_line": 0},
        {"linger": -1},
        {"linger": float("nan")},
    ],
)
def test_bounds_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    """The error names the field."""
    with pytest.raises(ValueError, match=next(iter(options))):
        Command(["ls"], **options)


@pytest.mark.parametrize("callback", [7, an_async_callback])
def test_a_callback_is_a_plain_callable(callback: Any) -> None:
    """An async one would never be awaited."""
    with pytest.raises(TypeError, match="on_output must be"):
        Command(["ls"], on_output=callback)


def test_a_command_is_frozen() -> None:
    """Restarts start what was spawned."""
    command: Any = Command(["ls"])
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        command.argv = ("rm",)
