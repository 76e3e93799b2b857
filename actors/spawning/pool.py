"""`Pool`: many workers behind one ref."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable, Iterable
from typing import Any, ClassVar, Literal, cast

import attrs

from actors.checks import one_of
from actors.core.recipe import Recipe, recipe_of, with_arguments
from actors.errors import InvalidTemplate
from actors.names import check_name
from actors.policy import OneForOne, Strategy
from actors.spawning.limits import SpawnLimits
from actors.spawning.poolcell import PoolFamily
from actors.spawning.scale import Scaling
from actors.spawning.spawner import Spawner
from actors.spawning.template import Template
from actors.supervision.supervisor import Supervisor, check_strategy

__all__ = ["Pool", "Routing"]

Routing = Literal["least_busy", "round_robin", "key"]


def _template(what: Any) -> Template:
    return what if isinstance(what, Template) else Template(what)


def _nodes(on: str | Iterable[str] | None) -> tuple[str, ...]:
    return () if on is None else (on,) if isinstance(on, str) else tuple(on)


@attrs.frozen
class Pool:
    """`minimum` to `maximum` workers of one template behind one ref, which is told and asked like a worker.

    Messages wait in the pool's mailbox until a worker has room. With `routing` "least_busy" and
    "round_robin" each worker has one message at a time. With "key", `key(message)` says what a message
    is about (a str, bytes, int, UUID, enum, or a tuple of them; None: it is for any): the same key goes to
    the same worker as long as that is there, one message after the other. `key` is plain, quick, and asked
    again for a message that waits; where it raises, that message alone fails.

    It grows when a message has waited `max_wait` seconds and nobody is free, and by the
    triggers of `limits`: by default above 100 messages, and by one worker a second at most. Without
    `auto` in the `limits` it stays at `minimum`. A worker that was idle for `idle` seconds
    (math.inf: never) is drained and goes, down to `minimum`. `strategy` is that of their supervisor.

    `on` are the nodes that the workers run on, in turn; here by default. When the pool first starts
    all of them have to be known, else it fails with `UnknownNode`. One that is silent gets no
    messages but those of its keys. A worker whose node is lost is not restarted, and has no `retries`: the
    pool starts another where a node answers, and tries that once in a cooldown of `limits`.

    Workers are named, and restarted by the policy of the template. A crash fails the message
    in hand, as with any actor; what was queued goes to the others. Suspended, it hands nothing on; what its
    workers have, they finish. Raises `InvalidTemplate` and ValueError with the cure.

    Not promised: that messages without keys, or of different keys, end in the order of their coming; that
    a message overtakes one whose worker has a full mailbox; that `retries` are counted on where a
    worker ends for good and another takes its message.
    """

    template: Template = attrs.field(converter=_template)
    minimum: int = 1
    maximum: int = 10
    routing: Routing = attrs.field(default="least_busy", validator=one_of(Routing), kw_only=True)
    key: Callable[[Any], Hashable] | None = attrs.field(default=None, kw_only=True)
    limits: SpawnLimits | None = attrs.field(default=None, kw_only=True)
    max_wait: float = attrs.field(default=1.0, kw_only=True)
    idle: float = attrs.field(default=30.0, kw_only=True)
    on: tuple[str, ...] = attrs.field(default=(), converter=_nodes, kw_only=True)
    strategy: Strategy = attrs.field(factory=OneForOne, kw_only=True)
    scaling: Scaling = attrs.field(init=False, repr=False, eq=False)
    """The bounds as the decision takes them."""

    def __attrs_post_init__(self) -> None:
        if recipe_of(self.template).takes_none:  # what it is told would wait for ever
            raise InvalidTemplate(
                f"{self.template.title} takes no messages, so it is no worker of a pool: start the process "
                f"in a handler of a worker, or many of them with run_jobs"
            )
        if self.is_keyed and not callable(self.key):
            raise ValueError('routing="key" needs key=, a function from a message to what it is about')
        if inspect.iscoroutinefunction(self.key):
            raise ValueError(
                f"key must be a plain function, not the async {self.key!r}: who routes cannot wait"
            )
        if self.key is not None and not self.is_keyed:
            raise ValueError(f'key= goes with routing="key", not with "{self.routing}"')
        check_strategy(self.strategy)
        for node in self.on:
            check_name(node)
        limits = self.limits
        if limits is None:
            limits = SpawnLimits(cooldown=1.0, performance_threshold=0.0, auto=True, max_active=100)
        scaling = Scaling(self.minimum, self.maximum, limits, self.max_wait, self.idle)
        object.__setattr__(self, "scaling", scaling)

    @property
    def is_keyed(self) -> bool:
        """Whether each message belongs to a worker."""
        return self.routing == "key"

    @property
    def stem(self) -> str:
        """What its workers are called, with a number behind it."""
        return self.template.name or "worker"

    def __actor_recipe__(self) -> Recipe:
        """How the framework makes an actor of it."""
        return attrs.evolve(with_arguments(recipe_of(_PoolActor), (self,), {}), is_endless=True)


class _PoolActor(Supervisor):
    """The supervisor of the workers."""

    __qualname__ = "Pool"  # so it is called in messages
    _cell_class: ClassVar[type[Any] | None] = PoolFamily

    def __init__(self, pool: Pool) -> None:
        self.strategy = pool.strategy
        self._pool = pool

    async def on_start(self) -> None:
        """Ready when its first workers are."""
        cell = cast("PoolFamily", self.ctx.cell)
        staff = cell.employ(self._pool, Spawner(self, self._pool.scaling.limits))
        await staff.wait_filled(staff.fill())
