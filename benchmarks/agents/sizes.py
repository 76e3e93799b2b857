"""How much is measured."""

from __future__ import annotations

import attrs

__all__ = ["SIZES", "Sizes"]


@attrs.frozen
class Sizes:
    """How much is measured."""

    asks: int = 2000
    """Requests to a child, one after the other."""
    terminals: int = 50
    """Terminals at once."""
    pastes: int = 4
    """Pastes into each."""
    rest: float = 5.0
    """Seconds for which they rest."""
    calls: int = 300
    """Calls of a tool."""


SIZES = {False: Sizes(), True: Sizes(asks=20, terminals=2, pastes=1, rest=0.2, calls=5)}
"""By whether it is to be quick."""
