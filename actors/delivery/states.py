"""The states that actors save: with the end of the message in hand, or by themselves.

Where several nodes share the store it is noted with what each actor has begun: when its name comes to this
node later, another one may have saved since, and it has to begin anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import trio

from actors.delivery.errors import StateUnreadable, StoreUnavailable
from actors.delivery.handed import posted_in_hand
from actors.delivery.operations import Operation, Save, Saved
from actors.delivery.recipient import is_lasting
from actors.errors import NotSerializable

if TYPE_CHECKING:
    from actors.core.cell import Cell
    from actors.delivery.office import Office

__all__ = ["States"]

_AGAIN: Final = 1.0
"""Seconds until what could not be read is tried again."""


class States:
    """See `Keeper`."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._loaded: dict[str, tuple[int | None, Any]] = {}
        """In a shared store: with which state an actor here has begun, and by which token it was ours."""

    async def save(self, cell: Cell, state: object) -> None:
        """See `Keeper.save`."""
        path = _lasting_path(cell)
        saved = Saved(path, None if state is None else self._office.coder.out(state))
        handed = posted_in_hand(cell)
        if handed is not None and not handed.is_over:
            handed.saved = saved
            await trio.lowlevel.checkpoint()
            return
        await self._office.present()
        await self._office.pump.write(Save(saved, await self._office.rounds.claims.proof(path)))

    async def load(self, cell: Cell) -> object:
        """See `Keeper.load`."""
        if not is_lasting(cell.path):
            await trio.lowlevel.checkpoint()
            return None
        await self._office.pump.settled(lambda operation: _is_of(operation, cell.path))
        payload = await self._load(cell.path)
        if payload is None:
            return None
        try:
            return self._office.coder.back(payload)
        except NotSerializable:
            raise
        except Exception as error:
            raise StateUnreadable(cell.path, str(error)) from error

    async def _load(self, path: str) -> Any:
        """The saved state, as soon as the store can be read.

        It is noted as whose it was read: a name may come to this node meanwhile.
        """
        while True:
            engine = await self._office.present()
            token = self._office.rounds.token_of(path)
            try:
                payload = await engine.load(path)
            except StoreUnavailable as error:  # it can begin with nothing else
                self._office.trouble(error)
                await trio.sleep(_AGAIN)
                continue
            if token == self._office.rounds.token_of(path):
                break
        if self._office.store.is_shared:
            self._loaded[path] = (token, payload)
        return payload

    async def is_stale(self, path: str, token: int) -> bool:
        """Whether the actor has begun with a state that may not be the last one, now that the name is ours.

        A checkpoint. Raises `StoreError`.
        """
        loaded = self._loaded.get(path)
        if loaded is None or loaded[0] == token:
            await trio.lowlevel.checkpoint()
            return False
        engine = await self._office.present()
        payload = await engine.load(path)
        if loaded != (None, payload):
            return True
        self._loaded[path] = (token, payload)
        return False

    def forget(self, path: str) -> None:
        """The actor has gone: the next one reads its state anew."""
        self._loaded.pop(path, None)


def _is_of(operation: Operation, path: str) -> bool:
    """Whether it comes with a state of that actor."""
    saved = getattr(operation, "saved", None)
    return saved is not None and saved.path == path


def _lasting_path(cell: Cell) -> str:
    """The path of an actor that a later one can have again; raises ValueError."""
    if not is_lasting(cell.path):
        raise ValueError(
            f"{cell.path} saves its state and has no name, or is below one without: spawn it with name=..."
        )
    return cell.path
