"""`--observe`: a page over the system that a command runs."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs
import trio

from actors.cli.lines import Notice
from actors.cli.misuse import Misused, read_token
from actors.errors import InsecureListen
from actors.names import ROOT

if TYPE_CHECKING:
    from actors.system import System

__all__ = ["ObservatoryOpened", "Watching", "watching"]

_CURE: Final = 'an observatory needs its extra: pip install "trio-actors[web]"'
_NEEDED: Final = ("hypercorn", "prometheus_client", "starlette")


@attrs.frozen(kw_only=True)
class ObservatoryOpened(Notice):
    """The page is served at `url`."""

    url: str

    def __str__(self) -> str:
        return f"observatory at {self.url}"


@attrs.frozen
class Watching:
    """Where the page is to be served, and who may see it."""

    host: str
    port: int
    token: str | None

    async def start(self, system: System) -> ObservatoryOpened:
        """Serve it. A checkpoint. Raises `Misused` where that cannot be."""
        from actors.observe.web import start_observatory  # an extra

        where = f"{self.host}:{self.port}"
        try:
            observatory = await start_observatory(system, self.host, self.port, token=self.token)
        except OSError as error:
            raise Misused(f"--observe {where}: {error.strerror or error}") from None
        except InsecureListen:
            raise Misused(f"--observe {where} can be reached by others: give a file with a token") from None
        return ObservatoryOpened(at=trio.current_time(), path=ROOT, url=observatory.url)


def watching(observe: Sequence[str] | None, token_file: Path | None) -> Watching | None:
    """What `--observe [HOST:PORT]` means; None where it is not given. Raises `Misused`."""
    if observe is None:
        return None
    if not all(importlib.util.find_spec(name) for name in _NEEDED):
        raise Misused(_CURE)
    text = observe[0] if observe else "127.0.0.1:0"
    host, _, port = text.rpartition(":")
    if len(observe) > 1 or not host or not port.isdigit() or int(port) > 65535:
        given = " ".join(observe)
        raise Misused(f"--observe takes HOST:PORT, not {given!r}: write 127.0.0.1:8000, port 0 for any")
    return Watching(host.strip("[]"), int(port), read_token(token_file))
