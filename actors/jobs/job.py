"""`Job`: one piece of work in a batch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import attrs

from actors.checks import check_seconds
from actors.core.recipe import recipe_of
from actors.limits import Timeout
from actors.names import check_name
from actors.outcome import Outcome
from actors.policy import Policy

__all__ = ["Job", "check_label"]


@attrs.frozen(init=False, eq=False)
class Job:
    """One piece of work for `System.run_jobs`: `Job(fetch, "http://...", name="fetcher")`.

    - `what`, `args`: as for `spawn`. It runs as a child of `/jobs`, one for each attempt.
    - `name`: with one it has retries and a breaker, at `/jobs/<name>`, and jobs of one name run
      one after the other. Without, it is adhoc: always attempted, once. None is that of a template.
    - `policy`: None is that of a template, else the system's. Its `restart` does not count.
    - `timeout`: seconds for each whole attempt, in place of the policy's limit; no_activity goes with it.
    - `fallback`: a `what` that runs once, adhoc, with `args` and the same policy, when the
      job failed for good or its breaker refused it.
    - `label`: what it is called in outcomes and in `after`; it may be any line of text.
    - `after`: jobs of the batch, as objects or by label or name. It starts when they have
      ended, well or not, and finds their outcomes in `ctx.dependencies`.
    - `outcome`: how it came out earlier. Such a job is not run again; it counts as ended.

    Compared by identity. Raises TypeError, ValueError or `InvalidName` for what cannot work.
    """

    what: Any
    args: tuple[Any, ...]
    name: str | None
    policy: Policy | None = attrs.field(repr=False)
    timeout: float | None
    fallback: Any
    label: str | None
    after: tuple[Job | str, ...] = attrs.field(repr=False)
    outcome: Outcome | None = attrs.field(repr=False)

    def __init__(
        self,
        what: Any,
        *args: Any,
        name: str | None = None,
        policy: Policy | None = None,
        timeout: float | None = None,
        fallback: Any = None,
        label: str | None = None,
        after: Iterable[Job | str] = (),
        outcome: Outcome | None = None,
    ) -> None:
        recipe = recipe_of(what)
        for one in (recipe,) if fallback is None else (recipe, recipe_of(fallback)):
            one.check_arguments(args)
            if one.is_endless:
                raise ValueError(
                    f"a {one.name} never ends by itself, and a job is waited for: "
                    f"spawn it, and let jobs ask it"
                )
        if name is None:
            name = recipe.offered
        else:
            check_name(name)
        if policy is None:
            policy = recipe.policy
        if timeout is not None:
            check_seconds("timeout", timeout, above=True)
        _check(policy, Policy, "policy", "actors.Policy(...) or Policy.preset(name)")
        _check(outcome, Outcome, "outcome", "the Outcome of an earlier run")
        check_label(label)
        self.__attrs_init__(  # pyright: ignore
            what, args, name, policy, timeout, fallback, label, _as_after(after), outcome
        )

    def policy_over(self, default: Policy) -> Policy:
        """What its attempts run under: they are never restarted, and have its own limit if it has one."""
        policy = default if self.policy is None else self.policy
        if self.timeout is not None:
            fixed = Timeout("fixed", self.timeout, no_activity=None)
            return attrs.evolve(policy, restart="temporary", timeout=fixed)
        return policy if policy.restart == "temporary" else attrs.evolve(policy, restart="temporary")


def _check(value: object, kind: type, field: str, cure: str) -> None:
    if value is not None and not isinstance(value, kind):
        raise TypeError(f"{field} must be of type {kind.__name__}, not {value!r}: pass {cure}")


def check_label(label: object) -> None:
    """Raise TypeError or ValueError for what no job can be called."""
    if label is None:
        return
    if not isinstance(label, str):
        raise TypeError(f"label must be a str, not {label!r}: write label=str(...)")
    if not label.strip() or not label.isprintable():
        raise ValueError(f"label must be one line of printable text, not {label!r}")


def _as_after(after: object) -> tuple[Job | str, ...]:
    if isinstance(after, str | Job) or not isinstance(after, Iterable):
        raise TypeError(f"after must be a list of jobs, not {after!r}: write after=[{after!r}]")
    found = tuple(cast("Iterable[Job | str]", after))
    for index, one in enumerate(found):
        if not isinstance(one, str | Job):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"after[{index}] must be a Job, or a label or name, not {one!r}")
    return found
