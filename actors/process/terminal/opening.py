"""How a terminal begins: tmux is found, its server started or found again, the pane known.

Whatever fails or is cancelled on the way, the caller ends what carries the mark of the home.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import trio

from actors.process.arguments import environment_of
from actors.process.completed import ProcessNotStarted
from actors.process.terminal.crowd import MARK, end_all
from actors.process.terminal.errors import TerminalLost, TerminalNotStarted
from actors.process.terminal.home import Home
from actors.process.terminal.pane import GONE, Pane
from actors.process.terminal.words import as_argument, quoted

if TYPE_CHECKING:
    from actors.core.context import Context
    from actors.process.terminal.terminal import Terminal

__all__ = ["environment", "find_tmux", "open_pane", "session_name"]

_LEAST: Final = (3, 2)
_VERSION: Final = re.compile(r"(\d+)\.(\d+)")
_LAUNCH: Final = 'unset TMUX TMUX_PANE TMUX_TMPDIR; exec "$@"'
"""What tmux tells a program about itself is not for it: another tmux in it would refuse to run."""
_IDENTITY: Final = "@actors_terminal"
_BEGINS_WITHIN: Final = 15.0
_MOST_WORDS: Final = 12 * 1024
"""Bytes of an argv that tmux takes, with room for its own."""


async def find_tmux(terminal: Terminal) -> str:
    """The program of tmux. Raises `TerminalNotStarted` when there is none, or too old a one. A checkpoint."""
    program = shutil.which(terminal.tmux)
    if program is None:
        raise TerminalNotStarted(
            f"there is no {terminal.tmux!r}, and a Terminal is a pane of it: install tmux "
            f"{_LEAST[0]}.{_LEAST[1]} or later, as in `apt-get install tmux`, or pass tmux= its path"
        )
    try:
        told = await trio.run_process([program, "-V"], capture_stdout=True, capture_stderr=True, check=False)
    except OSError as error:
        raise TerminalNotStarted(f"{program} cannot be run: {error}. Install tmux") from error
    said = told.stdout.decode(errors="replace").strip()
    found = _VERSION.search(said)
    if found is not None and (int(found[1]), int(found[2])) < _LEAST:
        raise TerminalNotStarted(
            f"{program} is {said}, and a Terminal needs {_LEAST[0]}.{_LEAST[1]} or later: "
            f"install a newer tmux"
        )
    return program


def environment(terminal: Terminal, ctx: Context, home: Home) -> dict[str, str]:
    """That of the program: ours or the given one, without what tmux sets itself, with our mark."""
    env = environment_of(terminal.env, ctx.dependencies)
    kept = {
        name: value
        for name, value in (os.environ if env is None else env).items()
        if not name.startswith("TMUX") and name not in ("LINES", "COLUMNS", "STY", "WINDOW")
    }
    return {**kept, MARK: str(home.path)}


def check_program(terminal: Terminal, env: Mapping[str, str]) -> None:
    """Raise `ProcessNotStarted` for what tmux would only show on the screen, or not at all."""
    cwd = terminal.cwd
    if cwd is not None and not os.path.isdir(cwd):
        number = errno.ENOTDIR if os.path.exists(cwd) else errno.ENOENT
        raise ProcessNotStarted(terminal.argv, OSError(number, os.strerror(number), cwd), cwd)
    program = os.fsdecode(terminal.argv[0])
    where = os.path.join(os.fsdecode(cwd or "."), program) if os.sep in program else program
    if shutil.which(where, path=env.get("PATH", os.defpath)) is None:
        number = errno.EACCES if os.sep in program and os.path.exists(where) else errno.ENOENT
        raise ProcessNotStarted(terminal.argv, OSError(number, os.strerror(number), program), cwd)


def session_name(ctx: Context) -> str:
    """What tmux calls it; dots mean something else there."""
    return (ctx.ref.name or "agent").replace(".", "_")


async def open_pane(pane: Pane, nursery: trio.Nursery, terminal: Terminal, ctx: Context) -> bool:
    """Start the program in a pane, or find the pane again: then True.

    Raises `TerminalNotStarted`, `TerminalLost` and `ProcessNotStarted`.
    """
    tmux = [await find_tmux(terminal), "-u", "-S", str(pane.home.socket)]
    name = session_name(ctx)
    pane.attach = (*tmux, "attach-session", "-t", f"={name}")
    env = environment(terminal, ctx, pane.home)
    if pane.home.is_named and await _adopt(pane, nursery, tmux, terminal, env):
        return True
    check_program(terminal, env)
    conf = pane.home.path / "conf"
    conf.write_text(_configuration(terminal), "utf-8")
    await _connect(
        pane,
        nursery,
        [
            *(*tmux, "-f", str(conf), "-C", "new-session", "-s", name),
            *("-x", str(terminal.width), "-y", str(terminal.height), "--"),
            *(as_argument(word) for word in ("/bin/sh", "-c", _LAUNCH, "sh", *terminal.argv)),
        ],
        terminal,
        env,
    )
    await pane.resize(terminal.width, terminal.height)  # from now on whoever attaches changes no size
    await pane.learn()
    return False


def _configuration(terminal: Terminal) -> str:
    # A hook tells nobody what it does, but what it has done later does; and `true` itself may be killed.
    gone = f"rename-window -t @0 {GONE}"
    lines = [
        "set -s exit-empty on",
        "set -s escape-time 0",
        "set -s set-clipboard off",
        f"set -s {_IDENTITY} {quoted(terminal.identity)}",
        f"set -g destroy-unattached {'on' if terminal.folder is None else 'off'}",
        "set -g remain-on-exit on",
        'set -gq remain-on-exit-format ""',
        f"set -g history-limit {terminal.history}",
        f"set -g default-size {terminal.width}x{terminal.height}",
        f"set -g default-terminal {quoted(terminal.term)}",
        "set -g status off",
        "set -g automatic-rename off",
        "set -g allow-rename off",
        "set -g set-titles off",
        "set -g bell-action none",
        'set -g update-environment ""',
        f'set-hook -g pane-died \'if-shell -b true "{gone}" "{gone}"\'',
    ]
    return "\n".join(lines) + "\n"


async def _connect(
    pane: Pane, nursery: trio.Nursery, argv: list[str | bytes], terminal: Terminal, env: Mapping[str, str]
) -> None:
    """Start a client of tmux, and wait until it has begun. Raises `TerminalNotStarted`."""
    errors = pane.home.path / "errors"
    stderr = os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        process = await trio.lowlevel.open_process(
            argv,
            cwd=terminal.cwd,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise TerminalNotStarted(f"tmux cannot be started: {error}") from error
    finally:
        os.close(stderr)
    client = pane.connect(process)
    nursery.start_soon(client.read)
    with trio.move_on_after(_BEGINS_WITHIN) as scope:
        await client.began.wait()
    if scope.cancelled_caught:
        raise TerminalNotStarted(f"tmux has not begun in {_BEGINS_WITHIN:g} s: the machine may be overloaded")
    greeting = client.greeting
    if greeting is None or not greeting.ok:
        said = " ".join(greeting.lines) if greeting else ""
        said = said or errors.read_text("utf-8", "replace").strip() or client.reason
        raise TerminalNotStarted(f"tmux has not started the program: {said or 'it ended without a word'}")
    await client.all_well("refresh-client -f pause-after=1")


async def _adopt(
    pane: Pane, nursery: trio.Nursery, tmux: list[str], terminal: Terminal, env: Mapping[str, str]
) -> bool:
    """Find the pane that an earlier system has left behind; end what cannot be taken over."""
    home = pane.home
    if home.socket.exists():
        identity, ended = "", True
        with contextlib.suppress(TerminalNotStarted, TerminalLost):  # its server has gone
            await _connect(pane, nursery, [*tmux, "-N", "-C", "attach-session"], terminal, env)
            identity, ended = await _known(pane)
        if identity is None:
            home.is_foreign()
            raise TerminalNotStarted(
                f"{home.path} has the socket of a tmux server that no Terminal has started: "
                f"pass another folder="
            )
        if identity == terminal.identity and not ended:
            await pane.learn()
            return True
        await pane.disconnect()
    await end_all(str(home.path), None)
    for left in home.path.iterdir():
        left.unlink(missing_ok=True)
    return False


async def _known(pane: Pane) -> tuple[str | None, bool]:
    (option,) = await pane.client.all_well(f"show-options -sqv {_IDENTITY}")
    return (option.lines[0] if option.lines else None), await pane.ending() is not None
