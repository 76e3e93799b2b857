"""The root of a system: the supervisor of everything, and what stands above it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any

from actors.budgets import Budget
from actors.core.cell import Cell
from actors.core.mailbox import Item
from actors.core.parent import Fate
from actors.core.recipe import recipe_of
from actors.errors import NameReserved
from actors.exits import Exit
from actors.monitor import SYSTEM
from actors.names import RESERVED, ROOT
from actors.policy import Policy, Strategy
from actors.supervision.breakers import Breakers
from actors.supervision.family import Family
from actors.supervision.supervisor import Supervisor

if TYPE_CHECKING:
    from actors.core.kernel import Kernel
    from actors.core.ref import Ref

__all__ = ["RootFamily", "make_root"]


class Root(Supervisor):
    """The supervisor of everything in a system."""

    actor_kind = "system"

    def __init__(self, strategy: Strategy) -> None:
        self.strategy = strategy


class RootFamily(Family):
    """The root's cell: its path is `/`, and its failure is the system's."""

    __slots__ = ()

    @property
    def path(self) -> str:
        """`/`."""
        return ROOT

    @property
    def group(self) -> Iterable[Cell]:
        """Without the framework's own: their work is nobody else's failure."""
        return [child for child in self.children.values() if child.name not in RESERVED]

    @property
    def stopped_from_last(self) -> Iterable[Cell]:
        """`/system` is the last to go, whenever it was made: it watches the others' ends too."""
        return sorted(self.children.values(), key=lambda child: child.name != SYSTEM)

    @property
    def killed_at_once(self) -> Iterable[Cell]:
        """All but `/system`: others' ends go over its links."""
        return [child for child in self.children.values() if child.name != SYSTEM]

    def _check_free(self, name: str, trial: bool, own: bool) -> None:
        if name in RESERVED and not own:
            raise NameReserved(name)
        super()._check_free(name, trial, own)

    def _end_for_good(self, bits: int, because: Cell | None = None) -> None:
        self.kernel.closing = True
        super()._end_for_good(bits, because)
        self.kernel.system._end_body()  # pyright: ignore[reportPrivateUsage]

    def fail(self) -> None:
        """It gives up: the body of the block ends too."""
        super().fail()
        self.kernel.system._end_body()  # pyright: ignore[reportPrivateUsage]


class Above:
    """What stands above the root: it decides nothing."""

    path = ROOT
    vigil = None
    own_cell = None
    ref: Ref

    def adopt(self, run: Callable[..., Awaitable[object]], *args: Any, name: str) -> None:
        raise NotImplementedError  # the root has a task of its own

    def break_down(self, fault: BaseException) -> None:
        raise NotImplementedError

    def judge(self, child: Cell, exit: Exit) -> Fate:
        return Fate.FINAL

    def settle(self, child: Cell) -> None: ...

    def gone(self, child: Cell, exit: Exit) -> None: ...

    def reclaim(self, child: Cell, items: list[Item]) -> list[Item]:
        return items

    def parks(self, child: Cell) -> bool:
        return False

    def refusal(self, child: Cell, taken: bool) -> None:
        return None

    def probe_passed(self, child: Cell) -> None: ...

    def resumed(self, child: Cell) -> None: ...


def make_root(kernel: Kernel, strategy: Strategy, breakers: Breakers, budget: Budget | None) -> RootFamily:
    """The root's cell of a new system; it does not run yet."""
    above = Above()
    policy = Policy(restart="temporary", breaker=None, budget=budget or Budget())  # it counts in any case
    family = RootFamily(kernel, above, recipe_of(Root), (strategy,), None, policy, breakers)
    above.ref = family.ref
    return family
