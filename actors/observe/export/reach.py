"""From a system to the framework's own side of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.observe.living import living

if TYPE_CHECKING:
    from actors.core.cell import Cell
    from actors.core.kernel import Kernel
    from actors.system import System

__all__ = ["cells_of", "root_of"]


def root_of(system: System) -> Cell:
    """The root's cell, which is there also when the system has closed."""
    root = system.find("/")
    assert root is not None
    return root.cell


def cells_of(kernel: Kernel) -> list[Cell]:
    """Every living cell, the root first."""
    return list(living(root_of(kernel.system)))
