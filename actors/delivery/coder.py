"""Between messages and what a store keeps of them."""

from __future__ import annotations

from typing import Any, Protocol

from actors.delivery.endings import Note

__all__ = ["AsTheyAre", "Coder"]


class Coder(Protocol):
    """Between messages and payloads, for one system."""

    def out(self, message: object, /) -> Any:
        """A message as a payload. Raises `NotSerializable`."""
        ...

    def back(self, payload: Any, /) -> Any:
        """A message from a payload. Raises an `ActorError` that says why it cannot be read."""
        ...

    def value_out(self, value: object, /) -> Any:
        """A reply as a payload. Raises `NotSerializable`."""
        ...

    def value_back(self, payload: Any, /) -> Any:
        """A reply from a payload. Raises as `back` does."""
        ...

    def note_out(self, note: Note, /) -> Any:
        """A note as a payload."""
        ...

    def note_back(self, payload: Any, /) -> Note:
        """A note from a payload."""
        ...


class AsTheyAre:
    """For a store that keeps objects."""

    def out(self, message: object) -> Any:
        """See `Coder`."""
        return message

    back = value_out = value_back = out

    def note_out(self, note: Note) -> Any:
        """See `Coder`."""
        return note

    def note_back(self, payload: Any) -> Note:
        """See `Coder`."""
        return payload
