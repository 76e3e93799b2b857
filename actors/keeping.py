"""The store of posted messages as what keeps requests to people: see `people.keeping`, whose port this is.

Each is a saved state of its own, at a path below `/system/desk`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from actors.delivery.errors import StoreError
from actors.delivery.operations import Result, Save, Saved
from actors.people.keeping import Record

if TYPE_CHECKING:
    from actors.delivery.office import Office

__all__ = ["OfficeKeeping"]

_log = logging.getLogger("actors.people")
_BELOW: Final = "/system/desk/"


class OfficeKeeping:
    """See `Keeping`. In a store that several nodes share, each has records of its own."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._below = f"{_BELOW}{office.kernel.name}/" if office.store.is_shared else _BELOW

    async def load(self) -> list[Record]:
        """See `Keeping.load`."""
        engine = await self._office.present()
        return [json.loads(saved.state) for saved in await engine.states(self._below)]

    def put(self, request_id: str, record: Record | None, then: Callable[[], object], /) -> None:
        """See `Keeping.put`."""
        state = None if record is None else json.dumps(record)
        path = self._below + request_id.replace(":", "-")

        def came(result: Result | StoreError) -> None:
            if isinstance(result, Exception):
                _log.error("what is known of the request %s could not be kept: %s", request_id, result)
            then()

        self._office.pump.put(Save(Saved(path, state)), came)
