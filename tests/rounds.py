"""How many examples hypothesis plays: many more with `pytest --hypothesis-profile=deep`."""

from __future__ import annotations

from hypothesis import settings

__all__ = ["rounds"]


def rounds(usual: int, *, deep: int) -> int:
    """Enough for every change; or those of a long search, which takes its time."""
    return deep if settings.get_current_profile_name().startswith("deep") else usual
