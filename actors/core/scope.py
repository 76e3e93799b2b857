"""Which actor the running task belongs to, and what it was given besides its arguments.

Context variables, set in the context that an actor's tasks are started in and
inherited by every task they start themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from actors.core.cell import Cell
    from actors.outcome import Outcome

__all__ = ["CURRENT", "DEFINING", "DEPENDENCIES", "NO_DEPENDENCIES"]

CURRENT: ContextVar[Cell | None] = ContextVar("actors_current_cell", default=None)
DEFINING: ContextVar[bool] = ContextVar("actors_defining", default=False)
"""True while a node process runs the program of its parent for its definitions."""
NO_DEPENDENCIES: Mapping[str | int, Outcome] = MappingProxyType({})
DEPENDENCIES: ContextVar[Mapping[str | int, Outcome]] = ContextVar(
    "actors_dependencies", default=NO_DEPENDENCIES
)
"""In a job: how the jobs that it comes after have ended."""
