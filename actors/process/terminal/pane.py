"""The one pane of a terminal's tmux server: looked at, pasted into, resized."""

from __future__ import annotations

import math
import os
import secrets
import signal
import termios
from collections.abc import Callable
from typing import Final

import attrs
import trio

from actors.process.terminal.client import Client
from actors.process.terminal.errors import TerminalLost
from actors.process.terminal.home import Home
from actors.process.terminal.modes import PasteMode
from actors.process.terminal.prompt import Look
from actors.process.terminal.words import as_format, quoted

__all__ = ["GONE", "Ended", "Pane"]

GONE: Final = "gone"
"""The name that the window gets when its program has ended: by that we are told of it."""

_STATE: Final = (
    "#{pane_dead} #{history_size} #{history_limit} #{cursor_x} #{cursor_y} #{pane_width} #{pane_height} "
    "#{alternate_on}"
)
_LOOK: Final = f'display-message -p -t %0 "{_STATE}" ; capture-pane -p -t %0'
_ENDING: Final = (
    'display-message -p -t %0 "#{pane_dead} #{pane_dead_status}.#{pane_dead_signal}.#{window_name}" ; '
    "capture-pane -p -J -t %0 -S -100"
)
_PASTES: Final = "@actors_pastes"
_WHO: Final = (
    f'display-message -p -t %0 "#{{pid}} #{{pane_pid}} .#{{bracket_paste_flag}}#{{{_PASTES}}} #{{pane_tty}}"'
)
_PLACE: Final = "#{history_size}.#{cursor_x}.#{cursor_y}"


@attrs.frozen
class Ended:
    """How the program of a pane ended, and what stood on its screen."""

    code: int
    text: str


class Pane:
    """A program in a terminal of its own. `changed` is set when it has written, and then is another event."""

    def __init__(self, home: Home, heard: Callable[[bytes], object]) -> None:
        self.home = home
        self.changed = trio.Event()
        self.mode = PasteMode()
        self.wrote_at = -math.inf
        """When the program has written last."""
        self.news = trio.Event()
        """Set when the program may have ended, and then is another event."""
        self.pid = self.server = 0
        self.tty = ""
        self.attach: tuple[str, ...] = ()
        """The command by which a person sees it."""
        self._client: Client | None = None
        self._heard = heard
        self._count = 0

    def connect(self, process: trio.Process) -> Client:
        """Speak with tmux through this process from now on."""
        self._client = Client(process, on_output=self._on_output, on_notice=self._on_notice)
        return self._client

    @property
    def client(self) -> Client:
        """Speaks with tmux; only after `connect`."""
        assert self._client is not None
        return self._client

    async def disconnect(self) -> None:
        """End our client and its pipes; shielded. The server is left alone. Idempotent."""
        client, self._client = self._client, None
        if client is not None:
            with trio.CancelScope(shield=True):
                client.process.kill()
                await client.process.wait()
            client.close()

    def _on_output(self, data: bytes) -> None:
        if data:
            self.mode.feed(data)
        else:
            self.mode.missed()
        self.wrote_at = trio.current_time()
        self._heard(data)
        changed, self.changed = self.changed, trio.Event()
        changed.set()

    def _on_notice(self, name: str, rest: str) -> None:
        if name in ("window-renamed", "window-close"):
            news, self.news = self.news, trio.Event()
            news.set()

    async def learn(self) -> None:
        """Ask tmux who is who, and how the program takes pastes: tmux 3.7 knows, or our note."""
        (reply,) = await self.client.all_well(_WHO)
        server, pid, pastes, self.tty = reply.lines[0].split(" ", 3)
        self.server, self.pid = int(server), int(pid)
        self.mode.at_prompt = {"1": True, "0": False}.get(pastes[1:2])

    async def note_mode(self) -> None:
        """Keep in mind how the program takes pastes at its prompt, also for who finds the pane again."""
        pastes = self.mode.bracketed
        if pastes is not None and pastes is not self.mode.at_prompt:
            if self.home.is_named:
                await self.client.all_well(f"set -s {_PASTES} {pastes:d}")
            self.mode.at_prompt = pastes

    async def look(self) -> Look:
        """The screen now."""
        state, rows = await self.client.all_well(_LOOK)
        _, history, limit, x, y, width, height, full = (int(field) for field in state.lines[0].split())
        return Look(rows.lines, x, y, history, limit, width, height, bool(full))

    async def ending(self) -> Ended | None:
        """How the program ended; None while it runs."""
        state, rows = await self.client.all_well(_ENDING)
        dead, _, rest = state.lines[0].partition(" ")
        status, number, name = rest.split(".", 2)
        if dead != "1":
            return None
        if not (status or number or name == GONE):  # its code is not known yet
            # Where tmux notes logins with libutempter, that swallows the signal of a child that
            # ends in the same moment. Said once more, tmux looks after its children.
            if self.server:
                os.kill(self.server, signal.SIGCHLD)
            return None
        code = int(status) if status else -int(number or 9)  # tmux 3.2 tells no signals
        return Ended(code, "\n".join(rows.lines).rstrip())

    async def lines(self, start: int, end: int, look: Look) -> list[str]:
        """Lines from `start` up to `end`, counted from the oldest that is kept, each in one piece."""
        if end <= start:
            return []
        (reply,) = await self.client.all_well(
            f"capture-pane -p -J -t %0 -S {start - look.history} -E {end - 1 - look.history}"
        )
        return list(reply.lines)

    async def forget(self) -> None:
        """Drop what has scrolled out at the top."""
        await self.client.all_well("clear-history -t %0")

    async def paste(self, text: str, look: Look) -> bool:
        """Paste at the place of `look`; False, and nothing is pasted, when the cursor has moved."""
        self._count += 1
        path = self.home.path / f"paste-{self._count}"
        name = f"actors-{secrets.token_hex(8)}"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(text.encode())
            await self.client.all_well(f"load-buffer -b {name} {quoted(as_format(str(path)))}")
        finally:
            path.unlink(missing_ok=True)
        replies = await self.client.command(
            f'copy-mode -q -t %0 ; if-shell -t %0 -F "#{{==:{_PLACE}.#{{pane_dead}},{look.place}.0}}" '
            f'"paste-buffer -d -p -r -t %0 -b {name}" "display-message -p moved"'
        )
        if any(reply.lines == ("moved",) for reply in replies):
            await self.client.all_well(f"delete-buffer -b {name}")
            return False
        for reply in replies:
            if not reply.ok:
                raise TerminalLost(f"tmux did not paste: {' '.join(reply.lines)}")
        return True

    async def press(self, *keys: str) -> str:
        """Press keys, also where a person has scrolled back; the place of the cursor before, as in `Look`."""
        words = " ".join(quoted(key) for key in keys)
        place, *_ = await self.client.all_well(
            f'display-message -p -t %0 "{_PLACE}" ; copy-mode -q -t %0 ; send-keys -t %0 -- {words}'
        )
        return place.lines[0]

    async def resize(self, width: int, height: int) -> None:
        """Another size, whatever the sizes of those who look."""
        await self.client.all_well(f"resize-window -t @0 -x {width} -y {height}")

    def collects_lines(self) -> bool:
        """True when the kernel gathers whole lines for the program, of 4095 bytes at most."""
        try:
            descriptor = os.open(self.tty, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            return bool(termios.tcgetattr(descriptor)[3] & termios.ICANON)
        except termios.error:
            return False
        finally:
            os.close(descriptor)
