"""Policies: frozen, plain data. What they say is carried out elsewhere, mostly by `actors.supervision`.

Times are seconds. Every record checks itself when it is made and raises ValueError
with the cure.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import attrs

from actors.budgets import Budget
from actors.checks import at_least, count, finite, one_of, record, seconds, share, yes_or_no
from actors.exits import Exit, ExitKind
from actors.limits import Oversight, Stall, Timeout
from actors.outcome import FailureKind, classify, kind_of_exit, retry_after

__all__ = [
    "Backoff",
    "Breaker",
    "Delivery",
    "Mailbox",
    "OneForAll",
    "OneForOne",
    "Overflow",
    "Policy",
    "RestForOne",
    "RestartType",
    "Strategy",
]

RestartType = Literal["permanent", "transient", "temporary"]
Overflow = Literal["reject", "drop_oldest", "drop_newest"]
Scope = Literal["child", "supervisor"]
Growth = Literal["exponential", "linear"]
if TYPE_CHECKING:
    Classify: TypeAlias = Callable[[BaseException], FailureKind]
else:
    Classify = Any  # no plain data: converters let it through as it is


@attrs.frozen(kw_only=True)
class Backoff:
    """Attempt n waits `min(maximum, initial x factor**n)`, spread by ± `jitter`, inside [0, maximum].

    With `growth="linear"` it waits `initial x (1 + factor x n)` instead. It starts over
    after `reset_after` seconds without a failure (None: the mean of `initial` and `maximum`).
    """

    initial: float = attrs.field(default=0.2, validator=[seconds(), finite])
    maximum: float = attrs.field(default=30.0, validator=[seconds(), finite])
    factor: float = attrs.field(default=2.0, validator=[at_least(1), finite])
    jitter: float = attrs.field(default=0.2, validator=share)
    reset_after: float | None = attrs.field(default=None, validator=attrs.validators.optional(seconds()))
    growth: Growth = attrs.field(default="exponential", validator=one_of(Growth))

    def __attrs_post_init__(self) -> None:
        if self.initial > self.maximum:
            raise ValueError(f"initial ({self.initial:g} s) is above maximum ({self.maximum:g} s): swap them")

    @classmethod
    def immediate(cls) -> Backoff:
        """No wait at all."""
        return cls(initial=0.0, maximum=0.0, jitter=0.0)

    @classmethod
    def fixed(cls, delay: float, *, jitter: float = 0.0) -> Backoff:
        """The same wait each time."""
        return cls(initial=delay, maximum=delay, factor=1.0, jitter=jitter)

    @classmethod
    def linear(cls, initial: float, maximum: float, *, factor: float = 1.0, jitter: float = 0.0) -> Backoff:
        """`initial x (1 + factor x n)`, at most `maximum`."""
        return cls(initial=initial, maximum=maximum, factor=factor, jitter=jitter, growth="linear")


@attrs.frozen(kw_only=True)
class Breaker:
    """Opens at `failures` within `within` seconds; probes after `reset_after x factor**n` seconds.

    n counts the probes that failed in a row. With `fast_fail` two permanent failures
    within `fast_fail_within` seconds open it at once.
    """

    failures: int = attrs.field(default=5, validator=count(1))
    within: float = attrs.field(default=60.0, validator=seconds(above=True))
    reset_after: float = attrs.field(default=60.0, validator=[seconds(), finite])
    factor: float = attrs.field(default=1.0, validator=[at_least(1), finite])
    fast_fail: bool = attrs.field(default=False, validator=yes_or_no)
    fast_fail_within: float = attrs.field(default=10.0, validator=seconds(above=True))

    @classmethod
    def agents(cls) -> Breaker:
        """2 failures within 300 s, probe after 120 s, fast-fail: for agents that cost money."""
        return cls(failures=2, within=300.0, reset_after=120.0, fast_fail=True)

    @classmethod
    def services(cls) -> Breaker:
        """5 failures within 60 s, probe after 60 s: for services and tools."""
        return cls(failures=5, within=60.0, reset_after=60.0)

    @classmethod
    def lenient(cls) -> Breaker:
        """4 failures within 300 s, fast-fail window 30 s: for named agents made up on the way."""
        return cls(failures=4, within=300.0, reset_after=120.0, fast_fail=True, fast_fail_within=30.0)


def _whole(value: float) -> float:
    """1000.0 is 1000: a converter of plain data makes a float of it, because infinity is one."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _check_capacity(_: object, field: attrs.Attribute[float], value: object) -> None:
    if value == math.inf:
        return
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"capacity must be a whole number of 1 or more, or math.inf, not {value!r}")


@attrs.frozen(kw_only=True)
class Mailbox:
    """How many urgent and normal messages may wait, and what happens to the next one."""

    capacity: float = attrs.field(default=1000, converter=_whole, validator=_check_capacity)
    overflow: Overflow = attrs.field(default="reject", validator=one_of(Overflow))


@attrs.frozen(kw_only=True)
class Delivery:
    """How posted messages are delivered to an actor. Told and asked ones are not concerned.

    `cooldown`: seconds between the end of one and the next. `at_once`: how many it may have at once;
    more than 1 is for pools, whose workers share them. With `ordered` one that failed is delivered again
    before later ones; without, they pass it. `backoff`: how long it waits for that.
    """

    cooldown: float = attrs.field(default=0.0, validator=[seconds(), finite])
    at_once: int = attrs.field(default=1, validator=count(1))
    ordered: bool = attrs.field(default=True, validator=yes_or_no)
    backoff: Backoff = attrs.field(
        factory=Backoff, validator=record(Backoff, "actors.Backoff(...)", optional=False)
    )


@attrs.frozen(kw_only=True)
class Policy:
    """How an actor is restarted, protected, bounded, queued and stopped. `shutdown` is in seconds.

    `retries` is how often the message whose handling failed is delivered again, and a
    job is tried again. A permanent failure is never tried again, a rate limit only when it
    said when; with `retry_on_timeout=False` nothing that was too slow or silent, with
    `retry_on_pattern=False` nothing that an error pattern ended. `timeout`, `stall` and
    `oversight` bound and watch a run; None leaves it alone. `budget` is what it and its children may spend
    together, all its life; None: what those above it leave.
    """

    restart: RestartType = attrs.field(default="transient", validator=one_of(RestartType))
    retries: int = attrs.field(default=0, validator=count(0))
    retry_on_timeout: bool = attrs.field(
        default=True, validator=record(bool, "True or False", optional=False)
    )
    retry_on_pattern: bool = attrs.field(
        default=True, validator=record(bool, "True or False", optional=False)
    )
    backoff: Backoff = attrs.field(
        factory=Backoff, validator=record(Backoff, "actors.Backoff(...)", optional=False)
    )
    breaker: Breaker | None = attrs.field(factory=Breaker, validator=record(Breaker, "actors.Breaker(...)"))
    timeout: Timeout | None = attrs.field(
        default=None, validator=record(Timeout, 'actors.Timeout(mode="fixed", initial=30)')
    )
    stall: Stall | None = attrs.field(default=None, validator=record(Stall, "actors.Stall(threshold=120)"))
    oversight: Oversight | None = attrs.field(
        default=None, validator=record(Oversight, "actors.Oversight(stuck=300)")
    )
    mailbox: Mailbox = attrs.field(
        factory=Mailbox, validator=record(Mailbox, "actors.Mailbox(...)", optional=False)
    )
    delivery: Delivery = attrs.field(
        factory=Delivery, validator=record(Delivery, "actors.Delivery(...)", optional=False)
    )
    budget: Budget | None = attrs.field(default=None, validator=record(Budget, "actors.Budget(tokens=1000)"))
    shutdown: float = attrs.field(default=5.0, validator=seconds())
    classify: Classify = attrs.field(default=classify, validator=attrs.validators.is_callable(), repr=False)

    @property
    def is_bounded(self) -> bool:
        """True when somebody watches its runs."""
        if self.budget is not None and self.budget.idle is not None:
            return True
        return self.timeout is not None or self.stall is not None or self.oversight is not None

    def tries_again(self, exit: Exit) -> bool:
        """Whether a run that ended so is worth another one, as far as its failure goes."""
        kind = kind_of_exit(exit, self.classify)
        if kind is None or kind in (FailureKind.PERMANENT, FailureKind.BUDGET):
            return False
        if exit.kind is ExitKind.PATTERN and not self.retry_on_pattern:
            return False
        if kind is FailureKind.RATE_LIMIT:
            return retry_after(exit) is not None
        return self.retry_on_timeout or kind not in (FailureKind.TIMEOUT, FailureKind.STALL)

    @classmethod
    def preset(cls, name: str) -> Policy:
        """One of the six agent presets; an unknown name raises ValueError naming all."""
        maker = _PRESETS.get(name)
        if maker is None:
            raise ValueError(f"unknown preset {name!r}: choose one of {', '.join(_PRESETS)}")
        return maker()


def _preset(
    attempts: int,
    backoff: Backoff,
    timeout: Timeout,
    *,
    breaker: bool = True,
    stall: Stall | None = None,
    retry: bool = True,
) -> Callable[[], Policy]:
    def make() -> Policy:
        return Policy(
            retries=attempts - 1,
            retry_on_timeout=retry,
            retry_on_pattern=retry,
            backoff=backoff,
            breaker=Breaker.agents() if breaker else None,
            timeout=timeout,
            stall=stall,
        )

    return make


def _exponential(initial: float, maximum: float) -> Backoff:
    return Backoff(initial=initial, maximum=maximum, jitter=0.1)


_IMMEDIATE = Backoff.immediate()
_PRESETS: dict[str, Callable[[], Policy]] = {
    "default": _preset(3, _exponential(1.0, 60.0), Timeout(), stall=Stall()),
    "production": _preset(
        3,
        _exponential(2.0, 120.0),
        Timeout("progressive", 120.0, 600.0, extend_within=15.0, no_activity=None),
        stall=Stall(terminate=False),
    ),
    "fast_fail": _preset(1, _IMMEDIATE, Timeout("fixed", 60.0, no_activity=15.0), stall=Stall(), retry=False),
    "patient": _preset(
        2,
        _exponential(2.0, 30.0),
        Timeout("progressive", 120.0, 600.0, no_activity=None),
        stall=Stall(terminate=False),
    ),
    "development": _preset(1, _IMMEDIATE, Timeout("fixed", 1800.0, no_activity=None), breaker=False),
    "test": _preset(
        1, _IMMEDIATE, Timeout("fixed", 30.0, no_activity=10.0), breaker=False, stall=Stall(), retry=False
    ),
}


@attrs.frozen
class Strategy:
    """What a failing child means for its siblings, and how many restarts are allowed.

    `max_restarts` restarts are allowed in a sliding window of `within` seconds; an age
    equal to `within` still counts.
    """

    max_restarts: int = attrs.field(default=5, validator=count(0))
    within: float = attrs.field(default=30.0, validator=seconds(above=True))
    per: Scope = attrs.field(default="child", validator=one_of(Scope))


@attrs.frozen
class OneForOne(Strategy):
    """Only the failed child restarts. `per="supervisor"` makes one budget for all children."""


@attrs.frozen
class OneForAll(Strategy):
    """All children stop and restart together; the budget counts such a restart once."""


@attrs.frozen
class RestForOne(Strategy):
    """The failed child and those started later stop and restart; the budget counts it once."""
