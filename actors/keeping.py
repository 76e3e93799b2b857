"""The store of posted messages as what keeps requests to people: see `people.keeping`, whose port this is.

Each is a saved state of its own, at a path below `/system/desk`, an actor that has no children.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any, Final

from actors.delivery.errors import StoreError, StoreInvalid
from actors.delivery.operations import Result, Save, Saved
from actors.people.keeping import Record, Then

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
        self._can_list = True

    def check(self) -> None:
        """See `Keeping.check`."""
        if not self._can_list:
            raise StoreInvalid(
                self._office.store.where,
                "it cannot list saved states, so that a request with a key would be lost with the process: "
                "give its engine the method `states`, or ask without a key",
            )

    async def load(self) -> list[Record]:
        """See `Keeping.load`."""
        engine: Any = await self._office.present()
        self._can_list = hasattr(engine, "states")  # stores of users may be older than it
        saved: list[Saved] = await engine.states(self._below) if self._can_list else []
        return [record for record in map(_read, saved) if record is not None]

    def put(self, request_id: str, record: Record | None, then: Then, /) -> None:
        """See `Keeping.put`."""
        state = None if record is None else json.dumps(record)
        path = self._below + request_id.replace(":", "-")

        def came(result: Result | StoreError) -> None:
            error = result if isinstance(result, Exception) else None
            if error is not None:
                _log.error("what is known of the request %s could not be kept: %s", request_id, error)
            then(error)

        self._office.pump.put(Save(Saved(path, state)), came)


def _read(saved: Saved) -> Record | None:
    try:
        record: Any = json.loads(saved.state)
    except (TypeError, ValueError, RecursionError) as error:
        _log.error("what is kept at %r is no request, and is left alone: %s", saved.path, error)
        return None
    return record
