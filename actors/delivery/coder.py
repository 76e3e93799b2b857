"""Between messages and what a store keeps of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Protocol

from actors.delivery.endings import Note
from actors.errors import NotSerializable

__all__ = ["AsTheyAre", "Coder"]


class Coder(Protocol):
    """Between messages and payloads, for one system."""

    @property
    def words(self) -> Coder:
        """Between messages and JSON text that may be kept."""
        ...

    def out(self, message: object, /) -> Any:
        """A message as a payload. Raises `NotSerializable`."""
        ...

    def back(self, payload: Any, /) -> Any:
        """A message from a payload. Raises an `ActorError` that says why it cannot be read."""
        ...

    def given(self, text: str, /) -> Any:
        """What to post for a message that is given as JSON text. Raises an `ActorError` where it is none."""
        ...

    def told(self, payload: Any, /) -> str | None:
        """A payload, or a reply, as JSON text for those elsewhere; None where JSON has no words for it."""
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
    """For a store that keeps objects. `words` makes what reads and writes them as text for others."""

    def __init__(self, words: Callable[[], Coder]) -> None:
        self._words = cache(words)

    @property
    def words(self) -> Coder:
        """See `Coder`."""
        return self._words()

    def out(self, message: object) -> Any:
        """See `Coder`."""
        return message

    back = value_out = value_back = out

    def given(self, text: str) -> Any:
        """See `Coder`."""
        return self._words().back(text)

    def told(self, payload: Any) -> str | None:
        """See `Coder`."""
        words = self._words()
        try:
            return words.note_out(payload) if isinstance(payload, Note) else words.value_out(payload)
        except (NotSerializable, TypeError):
            return None

    def note_out(self, note: Note) -> Any:
        """See `Coder`."""
        return note

    def note_back(self, payload: Any) -> Note:
        """See `Coder`."""
        return payload
