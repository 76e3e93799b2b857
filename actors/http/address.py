"""Where a server of HTTP is found: checked at the door, and kept over restarts of the actor that serves."""

from __future__ import annotations

from typing import Final

import attrs
import trio

__all__ = ["Address"]

_BACKLOG: Final = 256


def _host(_: object, __: object, host: object) -> None:
    if not isinstance(host, str) or not host:
        raise TypeError(f"a host is a str, not {host!r}: write 127.0.0.1, or 0.0.0.0 for all addresses")


def _port(_: object, __: object, port: object) -> None:
    if type(port) is not int or not 0 <= port <= 65535:
        raise ValueError(f"a port is from 0 to 65535, not {port!r}")


@attrs.define(eq=False)
class Address:
    """A host, and a port: 0 is any free one, until one was found."""

    host: str = attrs.field(validator=_host)
    port: int = attrs.field(validator=_port)

    @property
    def url(self) -> str:
        """As a client takes it, without a path."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    async def listeners(self) -> list[trio.SocketListener]:
        """The open door. The first port that is found is kept. Raises OSError."""
        opened = await trio.open_tcp_listeners(self.port, host=self.host, backlog=_BACKLOG)
        if self.port == 0:
            for other in opened[1:]:  # another address of the host, on another port
                await other.aclose()
            opened = opened[:1]
        self.port = opened[0].socket.getsockname()[1]
        return opened
