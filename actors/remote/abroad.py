"""Open requests to actors of other nodes, on the side of whoever asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from actors.core.ask import Pending
from actors.core.flow import LocalFlow, Streaming
from actors.core.scope import CURRENT
from actors.errors import ActorStopped, Deadlock
from actors.exits import Exit

if TYPE_CHECKING:
    from actors.core.cell import Cell
    from actors.remote.proxy import Proxy

__all__ = ["AbroadPending", "AbroadStream"]


class AbroadPending(Pending[Any]):
    """An open request to another node's actor: when its asker leaves, the other node hears of it."""

    __slots__ = ("number",)

    def __init__(self, cell: Cell, request: object, asker: Cell | None) -> None:
        super().__init__(cell, request, asker)
        self.number = 0

    async def wait(self, timeout: float | None = None) -> Any:
        """See `Pending.wait`. A child of another node's waits for itself where its ref here is a proxy."""
        asker = CURRENT.get()
        if not self.done and asker is not None and asker.ref == self.cell.ref:
            raise Deadlock(self.cell.ref, self.message)
        return await super().wait(timeout)

    def _end(self, error: BaseException | None) -> None:
        super()._end(error)
        cast("Proxy", self.cell).request_ended(self)

    def lost(self, exit: Exit) -> None:
        """The node is gone."""
        self.fail(ActorStopped(self.cell.ref, exit))


class AbroadStream(Streaming, AbroadPending):
    """One whose answer comes in chunks."""

    __slots__ = ("stream",)

    def __init__(self, cell: Cell, request: object, asker: Cell | None, window: int) -> None:
        super().__init__(cell, request, asker)
        self.stream = LocalFlow(window)
