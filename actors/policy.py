"""Policies: frozen, plain data. What they say is carried out elsewhere, mostly by `actors.supervision`.

Times are seconds. Every record checks itself when it is made and raises ValueError
with the cure.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import attrs

from actors.outcome import FailureKind, classify

__all__ = [
    "Backoff",
    "Breaker",
    "Mailbox",
    "OneForAll",
    "OneForOne",
    "Overflow",
    "Policy",
    "RestForOne",
    "RestartType",
    "Strategy",
    "check_seconds",
]

RestartType = Literal["permanent", "transient", "temporary"]
Overflow = Literal["reject", "drop_oldest", "drop_newest"]
Scope = Literal["child", "supervisor"]
if TYPE_CHECKING:
    Classify: TypeAlias = Callable[[BaseException], FailureKind]
else:
    Classify = Any  # no plain data: converters let it through as it is


def check_seconds(name: str, value: object, *, least: float = 0.0, above: bool = False) -> float:
    """Return `value` if it is a time of at least (or above) `least`, else raise ValueError.

    Infinity is a time, NaN is not.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} must be a number of seconds, not {value!r}")
    if math.isnan(value) or value < least or (above and value == least):
        bound = f"more than {least:g}" if above else f"{least:g} or more"
        raise ValueError(f"{name} must be {bound} seconds, not {value!r}")
    return value


def _seconds(*, least: float = 0.0, above: bool = False) -> Any:
    def check(_: object, field: attrs.Attribute[float], value: float) -> None:
        check_seconds(field.name, value, least=least, above=above)

    return check


def _finite(_: object, field: attrs.Attribute[float], value: float) -> None:
    if value == math.inf:
        raise ValueError(f"{field.name} must be finite, not {value!r}")


def _at_least(least: float) -> Any:
    def check(_: object, field: attrs.Attribute[float], value: object) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float) or not value >= least:
            raise ValueError(f"{field.name} must be {least:g} or more, not {value!r}")

    return check


def _count(least: int) -> Any:
    def check(_: object, field: attrs.Attribute[int], value: object) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ValueError(f"{field.name} must be a whole number of {least} or more, not {value!r}")

    return check


def _one_of(choices: object) -> Any:
    names = get_args(choices)

    def check(_: object, field: attrs.Attribute[str], value: object) -> None:
        if value not in names:
            raise ValueError(f"{field.name} must be one of {', '.join(names)}, not {value!r}")

    return check


@attrs.frozen(kw_only=True)
class Backoff:
    """Attempt n waits `min(maximum, initial x factor**n)`, spread by ± `jitter`, inside [0, maximum].

    It starts over after `reset_after` seconds without a failure (None: the mean of
    `initial` and `maximum`).
    """

    initial: float = attrs.field(default=0.2, validator=[_seconds(), _finite])
    maximum: float = attrs.field(default=30.0, validator=[_seconds(), _finite])
    factor: float = attrs.field(default=2.0, validator=[_at_least(1), _finite])
    jitter: float = attrs.field(default=0.2, validator=_seconds())
    reset_after: float | None = attrs.field(default=None, validator=attrs.validators.optional(_seconds()))

    def __attrs_post_init__(self) -> None:
        if self.initial > self.maximum:
            raise ValueError(f"initial ({self.initial:g} s) is above maximum ({self.maximum:g} s): swap them")
        if self.jitter > 1:
            raise ValueError(f"jitter is a share of the delay from 0 to 1, not {self.jitter!r}")


@attrs.frozen(kw_only=True)
class Breaker:
    """Opens at `failures` within `within` seconds; probes after `reset_after x factor**n` seconds.

    n counts the probes that failed in a row. With `fast_fail` two permanent failures
    within `fast_fail_within` seconds open it at once.
    """

    failures: int = attrs.field(default=5, validator=_count(1))
    within: float = attrs.field(default=60.0, validator=_seconds(above=True))
    reset_after: float = attrs.field(default=60.0, validator=[_seconds(), _finite])
    factor: float = attrs.field(default=1.0, validator=[_at_least(1), _finite])
    fast_fail: bool = False
    fast_fail_within: float = attrs.field(default=10.0, validator=_seconds(above=True))

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
    overflow: Overflow = attrs.field(default="reject", validator=_one_of(Overflow))


@attrs.frozen(kw_only=True)
class Policy:
    """How an actor is restarted, protected, queued and stopped. `shutdown` is in seconds.

    `retries` is how often the message whose handling failed is delivered again.
    """

    restart: RestartType = attrs.field(default="transient", validator=_one_of(RestartType))
    retries: int = attrs.field(default=0, validator=_count(0))
    backoff: Backoff = attrs.field(factory=Backoff, validator=attrs.validators.instance_of(Backoff))
    breaker: Breaker | None = attrs.field(
        factory=Breaker, validator=attrs.validators.optional(attrs.validators.instance_of(Breaker))
    )
    mailbox: Mailbox = attrs.field(factory=Mailbox, validator=attrs.validators.instance_of(Mailbox))
    shutdown: float = attrs.field(default=5.0, validator=_seconds())
    classify: Classify = attrs.field(default=classify, validator=attrs.validators.is_callable(), repr=False)

    @classmethod
    def preset(cls, name: str) -> Policy:
        """One of the six agent presets; an unknown name raises ValueError naming all."""
        maker = _PRESETS.get(name)
        if maker is None:
            raise ValueError(f"unknown preset {name!r}: choose one of {', '.join(_PRESETS)}")
        return maker()


def _preset(attempts: int, backoff: Backoff, breaker: bool) -> Callable[[], Policy]:
    def make() -> Policy:
        return Policy(retries=attempts - 1, backoff=backoff, breaker=Breaker.agents() if breaker else None)

    return make


_IMMEDIATE = Backoff(initial=0.0, maximum=0.0, jitter=0.0)
_PRESETS: dict[str, Callable[[], Policy]] = {
    "default": _preset(3, Backoff(initial=1.0, maximum=60.0, jitter=0.1), breaker=True),
    "production": _preset(3, Backoff(initial=2.0, maximum=120.0, jitter=0.1), breaker=True),
    "fast_fail": _preset(1, _IMMEDIATE, breaker=True),
    "patient": _preset(2, Backoff(initial=2.0, maximum=30.0, jitter=0.1), breaker=True),
    "development": _preset(1, _IMMEDIATE, breaker=False),
    "test": _preset(1, _IMMEDIATE, breaker=False),
}


@attrs.frozen
class Strategy:
    """What a failing child means for its siblings, and how many restarts are allowed.

    `max_restarts` restarts are allowed in a sliding window of `within` seconds; an age
    equal to `within` still counts.
    """

    max_restarts: int = attrs.field(default=5, validator=_count(0))
    within: float = attrs.field(default=30.0, validator=_seconds(above=True))
    per: Scope = attrs.field(default="child", validator=_one_of(Scope))


@attrs.frozen
class OneForOne(Strategy):
    """Only the failed child restarts. `per="supervisor"` makes one budget for all children."""


@attrs.frozen
class OneForAll(Strategy):
    """All children stop and restart together; the budget counts such a restart once."""


@attrs.frozen
class RestForOne(Strategy):
    """The failed child and those started later stop and restart; the budget counts it once."""
