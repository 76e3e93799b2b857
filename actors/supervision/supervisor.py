"""`Supervisor`: an actor with children. The class users derive from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, Never, cast, get_args

from actors.core.actor import Actor
from actors.core.groups import outcomes_of
from actors.policy import OneForAll, OneForOne, Policy, RestForOne, Strategy

if TYPE_CHECKING:
    from actors.core.ref import Ref
    from actors.outcome import Outcome
    from actors.supervision.family import Family

__all__ = ["AutoShutdown", "Supervisor", "check_strategy"]

AutoShutdown = Literal["never", "any", "all"]


def check_strategy(strategy: object) -> Strategy:
    """Return a strategy as it is; raise ValueError naming the known ones for anything else."""
    known = (OneForOne, OneForAll, RestForOne)
    if not isinstance(strategy, known):
        names = ", ".join(f"{kind.__name__}(...)" for kind in known)
        raise ValueError(f"{strategy!r} is not a strategy: use one of {names}")
    return strategy


def _check_auto_shutdown(value: object) -> None:
    if value not in get_args(AutoShutdown):
        raise ValueError(f"auto_shutdown must be one of {', '.join(get_args(AutoShutdown))}, not {value!r}")


class Supervisor(Actor):
    """An actor with children, which it starts, restarts and stops in order.

    Children belong to the incarnation that spawned them: usually in `on_start`. They
    are stopped before the supervisor's own `on_stop` runs.
    """

    actor_kind: ClassVar[str] = "supervisor"

    strategy: Strategy = OneForOne()
    """What the failure of one child means for the others, and how many restarts are allowed."""
    auto_shutdown: AutoShutdown = "never"
    """Whether it stops when "any" or "all" of its significant children have ended by themselves."""

    _cell_class: ClassVar[type[Any] | None] = None
    """The kind of `Family` that its cell is; None for the usual one."""
    _tasks_for_all: ClassVar[bool] = False
    """Whether children that need no task have one all the same."""
    _parks: ClassVar[bool] = True
    """Whether a child whose budget is spent goes on one day; else it ends."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        check_strategy(cls.strategy)
        _check_auto_shutdown(cls.auto_shutdown)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "strategy":
            check_strategy(value)
        elif name == "auto_shutdown":
            _check_auto_shutdown(value)
        super().__setattr__(name, value)

    @property
    def _family(self) -> Family:
        return cast("Family", self.ctx.cell)

    def __actor_family__(self) -> Family:
        """The framework's own side of it, for what spawns in its name."""
        return self._family

    def spawn(
        self,
        what: Any,
        *args: Any,
        name: str | None = None,
        policy: Policy | None = None,
        on: str | None = None,
        significant: bool = False,
        **unknown: Never,
    ) -> Ref:
        """Start a child and return its ref at once; messages queue until it is ready.

        Arguments by name go in a `functools.partial`. A failed start counts like a
        failure. Raises TypeError for what cannot be an actor, `InvalidName`, `NameTaken`,
        `SystemClosed`, or `ActorStopped` when this supervisor is ending. No checkpoint.
        """
        return self._family.admit(what, args, name, policy, on, significant, unknown)

    async def start(
        self,
        what: Any,
        *args: Any,
        name: str | None = None,
        policy: Policy | None = None,
        on: str | None = None,
        significant: bool = False,
        **unknown: Never,
    ) -> Ref:
        """Start a child and return its ref when it is ready. A checkpoint.

        One attempt: when it fails (`StartFailed`) or is cancelled, nothing of the child
        is left and its name is free. Raises `CircuitOpen` while the breaker of the path
        is open, and what `spawn` raises.
        """
        return await self._family.start(what, args, name, policy, on, significant, unknown)

    @property
    def children(self) -> tuple[Ref, ...]:
        """The living children in start order."""
        return self._family.child_refs

    async def broadcast(self, message: object, timeout: float | None = None) -> dict[Ref, Outcome]:
        """Ask (a `Request`) or tell (anything else) every child at once: one `Outcome` each. A checkpoint.

        `timeout` is in seconds and for each child. One child's failure does not stop the others.
        """
        return await outcomes_of(self.children, message, timeout)
