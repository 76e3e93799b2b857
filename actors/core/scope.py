"""Which actor the running task belongs to.

A context variable, set in the context that an actor's tasks are started in and
inherited by every task they start themselves.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from actors.core.cell import Cell

__all__ = ["CURRENT"]

CURRENT: ContextVar[Cell | None] = ContextVar("actors_current_cell", default=None)
