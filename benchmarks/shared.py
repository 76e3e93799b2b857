"""What our own cases and the peers share; it needs nothing but the standard library."""

from __future__ import annotations

__all__ = ["check", "shares"]


def check(got: object, wanted: object) -> None:
    """Raise RuntimeError when the work came to the wrong result: such a time is worth nothing."""
    if got != wanted:
        raise RuntimeError(f"the work came to {got!r} instead of {wanted!r}")


def shares(count: int, parts: int) -> list[int]:
    """`count` in at most `parts` shares of about the same size, none of them empty."""
    each, more = divmod(count, parts)
    return [each + (index < more) for index in range(min(count, parts))]
