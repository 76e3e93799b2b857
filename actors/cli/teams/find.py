"""From a team's name to its file: a plain name, a plain file, and both inside one folder."""

from __future__ import annotations

from pathlib import Path

from actors.cli.lines import shorten
from actors.cli.load import BadFile
from actors.cli.strict import Fault
from actors.errors import InvalidName
from actors.names import check_name

__all__ = ["COMMAND_LINE", "escapes", "find_template"]

COMMAND_LINE = "the command line"
"""The "file" of mistakes in the options."""

_SUFFIX = ".toml"
_NAMED = 10
"""Teams that are named when one is missing."""


def find_template(name: str, folder: Path) -> Path:
    """The file of a team in a folder. Looks at the disk; raises `BadFile`."""
    path = folder / _file_name(name)
    try:
        _check(path, folder)
    except OSError as error:
        raise _refused(f"cannot look at {path}: {error.strerror or error}") from None
    return path


def _check(path: Path, folder: Path) -> None:
    if not folder.is_dir():
        raise _refused(f"there is no folder {folder}: make it, or name another", "--teams")
    if escapes(path, folder):
        raise _refused(f"{path} is a link that leads out of its folder: put the file itself there")
    if path.is_symlink() and not path.exists():
        raise _refused(f"{path} is a link that leads nowhere: put the file itself there")
    if not path.exists():
        raise _refused(f"there is no team file {path}: {_known(folder)}")
    if not path.is_file():
        raise _refused(f"{path} is not a file: name the TOML file of a team")


def _file_name(name: str) -> str:
    """The name with its ending; only a name that could be an actor's is one."""
    try:
        return check_name(name.removesuffix(_SUFFIX)) + _SUFFIX
    except InvalidName:
        raise _refused(
            f"{_quoted(name)} is not the name of a team: write at most 128 letters, digits, '.', '_' and "
            f"'-', beginning with a letter or digit, as in research, and name its folder with --teams"
        ) from None


def escapes(path: Path, folder: Path) -> bool:
    """Whether a path is outside a folder when all links are followed. Looks at the disk."""
    try:
        return not path.resolve().is_relative_to(folder.resolve())
    except RuntimeError:  # links in a circle: nothing behind them can be opened
        return False


def _known(folder: Path) -> str:
    found = sorted(path.name for path in folder.glob("*" + _SUFFIX))
    if not found:
        return "that folder has no .toml files, name another with --teams"
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return f"that folder has {', '.join(found[:_NAMED])}{more}"


def _quoted(name: str) -> str:
    """On one line and not too long, whatever it is made of."""
    return shorten(repr(name), 80)


def _refused(message: str, where: str = "--team") -> BadFile:
    return BadFile((Fault(where, message, COMMAND_LINE),))
