"""How people are asked, for a whole system. Frozen, plain data.

Times are seconds. It checks itself when it is made and raises ValueError with the cure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs

from actors.checks import check_seconds, count, finite, seconds, share

__all__ = ["ASK_TIMEOUT", "Asking"]

ASK_TIMEOUT: Final = 300.0
"""Seconds for an answer where nothing else is said."""


def _timeouts(_: object, field: attrs.Attribute[Mapping[str, float]], value: object) -> None:
    if not isinstance(value, Mapping):
        raise TypeError(f"{field.name} must be a mapping, not {value!r}: write {{'approval': 600.0}}")
    for kind, limit in value.items():  # pyright: ignore[reportUnknownVariableType]
        if not isinstance(kind, str) or not kind:
            raise ValueError(f"{field.name} goes from kinds to seconds, and {kind!r} is no kind")
        check_seconds(f"{field.name}[{kind!r}]", limit)  # pyright: ignore[reportUnknownArgumentType]


@attrs.frozen(kw_only=True)
class Asking:
    """The bounds of `system.desk`.

    `timeout`: for how many seconds a request waits for its answer where the call says nothing else, and
    `timeouts` the same by its kind, as in `{"approval": 600.0}`. Infinity: as long as it takes.
    `warn`: after which share of that time it warns (`PersonWarned`); 1: never.

    `capacity`: how many requests may be open; the next raises `DeskFull`. `max_text` and `max_answer`:
    how many characters a question, its options together, and an answer as JSON may have.

    `remember`: how many ended requests are known by their ids, to tell "answered" from "unknown".
    `keep`: for how many seconds the answer to a request with a key is found again by that key.
    Without a durable store it is forgotten with its id, if that is sooner.
    """

    timeout: float = attrs.field(default=ASK_TIMEOUT, validator=seconds())
    timeouts: Mapping[str, float] = attrs.field(factory=dict[str, float], validator=_timeouts, hash=False)
    warn: float = attrs.field(default=0.8, validator=share)
    capacity: int = attrs.field(default=100_000, validator=count(1))
    max_text: int = attrs.field(default=65_536, validator=count(1))
    max_answer: int = attrs.field(default=65_536, validator=count(1))
    remember: int = attrs.field(default=1000, validator=count(1))
    keep: float = attrs.field(default=86_400.0, validator=[seconds(above=True), finite])

    def timeout_of(self, kind: str) -> float:
        """Seconds for an answer to a request of this kind."""
        return self.timeouts.get(kind, self.timeout)
