"""What bounds posted messages, for a whole system. Frozen, plain data.

Times are seconds. It checks itself when it is made and raises ValueError with the cure.
"""

from __future__ import annotations

import attrs

from actors.checks import count, finite, seconds

__all__ = ["Posting"]


@attrs.frozen(kw_only=True)
class Posting:
    """The bounds of `system.post`.

    `capacity`: how many live tickets a recipient may have; the next post raises `RecipientFull`.
    `max_payload`: how many characters a message may have in a durable store.

    `hops`: how long a chain may be in which each message was posted while the one before was handled;
    `per_minute`: how many messages one actor may post to another in a minute. They stop two
    agents that would answer each other for ever. None: no limit.

    `keep_ended`: for how many seconds an ended ticket is kept, to be found again and so that its key
    still stands; dead letters stay until somebody redelivers or drops them. `keep_unclaimed`: after how many
    seconds a message that nobody has taken times out, if it has no timeout of its own; None: never.
    """

    capacity: int = attrs.field(default=100_000, validator=count(1))
    max_payload: int = attrs.field(default=2**20, validator=count(1))
    hops: int | None = attrs.field(default=100, validator=attrs.validators.optional(count(1)))
    per_minute: int | None = attrs.field(default=None, validator=attrs.validators.optional(count(1)))
    keep_ended: float = attrs.field(default=86_400.0, validator=[seconds(above=True), finite])
    keep_unclaimed: float | None = attrs.field(
        default=7 * 86_400.0, validator=attrs.validators.optional([seconds(above=True), finite])
    )
