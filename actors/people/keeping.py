"""What makes requests outlive the process: a port, so that the desk knows nothing of stores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

__all__ = ["Keeping", "Record", "Then"]

Record = Mapping[str, Any]
"""One request as plain data; see `records`."""


Then = Callable[[Exception | None], object]
"""Told None when something is safe, and the error where it never will be."""


class Keeping(Protocol):
    """A durable store, as the desk needs it."""

    def check(self) -> None:
        """Raise `StoreInvalid` where this store cannot give records back."""
        ...

    async def load(self) -> list[Record]:
        """All records that are kept; what cannot be read is left out, and logged. A checkpoint. Raises
        `StoreError`.
        """
        ...

    def put(self, request_id: str, record: Record | None, then: Then, /) -> None:
        """Keep a record, None: forget it. It is tried until it is safe; then `then` is called. Plain.

        In the order of the calls. When the system closes before that, `then` is never called.
        """
        ...
