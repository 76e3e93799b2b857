"""Many actors asked or stopped together: in turn, at once, by vote.

Each call waits for what it began: its tasks belong to a nursery inside it, and when it is
cancelled, or has heard enough, requests that are still open are withdrawn.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

import attrs
import trio

from actors.checks import check_count, check_seconds
from actors.core.cell import Cell
from actors.core.groups import ask_each, outcome_of, outcomes_of
from actors.core.intake import why_no_request
from actors.core.ref import Ref
from actors.core.scope import CURRENT
from actors.messages import Request
from actors.spawning.refs import as_refs
from actors.spawning.votes import Votes, quorum_of

if TYPE_CHECKING:
    from actors.exits import Exit
    from actors.outcome import Outcome

__all__ = ["Consensus", "Step", "check_not_within", "consensus", "parallel", "sequential", "stop_all"]

Step = Callable[[Ref, Mapping[Ref, "Outcome"]], Request[Any]]
"""Makes the request to an actor from the outcomes of those asked before it."""


async def sequential(
    refs: Iterable[Ref],
    request: Request[Any] | Step,
    *,
    timeout: float | None = None,
    stop_on_failure: bool = False,
) -> dict[Ref, Outcome]:
    """Ask one after the other, each when the one before has answered: one `Outcome` each, in order.

    `request` is the same for all, or a plain function of `(ref, so_far)` that makes one
    for each, where `so_far` are the outcomes until then, read-only. What it raises ends the
    call. `timeout` is in seconds and for each. With `stop_on_failure` a failed outcome is the last one:
    the rest is not asked and not in the result. Who is named twice is asked once.

    A checkpoint. Cancelled, the open request is withdrawn. Raises TypeError for what is no
    ref or no request, and ValueError for a bad timeout, before anybody is asked.
    """
    asked = as_refs(refs)
    step = _as_step(request)
    _check_timeout(timeout)
    outcomes: dict[Ref, Outcome] = {}
    so_far = MappingProxyType(outcomes)
    for ref in asked:
        outcomes[ref] = outcome = await outcome_of(ref, step(ref, so_far), timeout)
        if stop_on_failure and not outcome.ok:
            break
    if not asked:
        await trio.lowlevel.checkpoint()
    return outcomes


async def parallel(
    refs: Iterable[Ref],
    request: Request[Any],
    *,
    timeout: float | None = None,
    limit: int | None = None,
) -> dict[Ref, Outcome]:
    """Ask all at once: one `Outcome` each, in order of `refs`. One failure does not stop the others.

    `timeout` is in seconds and for each, from when it is asked. With a `limit` at most so
    many are asked at a time, the next one, in order, when one has answered. Who is named twice
    is asked once.

    A checkpoint. Cancelled, open requests are withdrawn. Raises TypeError for what is no
    ref or no request, and ValueError for a bad timeout or limit, before anybody is asked.
    """
    asked = as_refs(refs)
    _check_request(request)
    _check_timeout(timeout)
    if limit is not None:
        check_count("limit", limit)
    return await outcomes_of(asked, request, timeout, limit)


@attrs.frozen
class Consensus:
    """How a vote came out."""

    reached: bool
    """Whether one value had as many votes as the quorum."""
    value: Any
    """That value; None where none had."""
    votes: dict[Ref, Outcome]
    """Every answer that came, failures included, in order of arrival."""
    tally: tuple[tuple[Any, int], ...]
    """Each value and how many replied with it, most first; failures are not in it."""
    open: tuple[Ref, ...]
    """Who had not answered when it was decided, in the order they were asked."""
    quorum: int
    """How many votes a value needed."""


async def consensus(
    refs: Iterable[Ref],
    request: Request[Any],
    *,
    quorum: int | None = None,
    timeout: float | None = None,
) -> Consensus:
    """Ask all at once, and count equal replies as votes for one value.

    It returns as soon as one value has `quorum` votes (None: more than half of all who were
    asked), or as soon as none can have as many any more; requests that are open then are
    withdrawn. Values are compared by `==`, and of equal ones the first stands for all; a comparison
    that raises says that they differ. A failed outcome, one that took longer than `timeout`
    seconds among them, is an answer without a vote. Two values with as many votes and fewer than
    the quorum: not reached. Who is named twice has one vote.

    A checkpoint. Cancelled, open requests are withdrawn. Raises TypeError for what is no
    ref or no request, and ValueError for a bad timeout, for a quorum below 1 or above the number asked,
    and where nobody is asked. Not promised: that who was not waited for stops working on it.
    """
    asked = as_refs(refs)
    _check_request(request)
    _check_timeout(timeout)
    if not asked:
        raise ValueError("consensus() of nobody has no value: pass at least one ref")
    votes = Votes(len(asked), quorum_of(len(asked), quorum))
    outcomes: dict[Ref, Outcome] = {}

    def came(ref: Ref, outcome: Outcome) -> bool:
        outcomes[ref] = outcome
        if outcome.ok:
            votes.cast(outcome.value)
        else:
            votes.abstain()
        return votes.decided

    await ask_each(asked, request, timeout, came)
    still_open = tuple(ref for ref in asked if ref not in outcomes)
    return Consensus(votes.reached, votes.value, outcomes, votes.tally, still_open, votes.quorum)


async def stop_all(refs: Iterable[Ref], *, kill: bool = False) -> dict[Ref, Exit]:
    """Stop (or `kill`) all at once and return their exits, in order of `refs`, when all are gone.

    Each has its own `shutdown`; together they take as long as the slowest. Who is gone
    already has the exit of then.

    A checkpoint. Cancelled, it waits no longer, but what was ordered to stop still stops. Raises
    TypeError for what is no ref, and ValueError, before anybody is stopped, where an actor
    would wait for its own end: for itself and those above it.
    """
    asked = as_refs(refs)
    check_not_within(asked)
    await trio.lowlevel.checkpoint_if_cancelled()
    for ref in asked:
        if kill:
            ref.kill()
        else:
            ref.stop()
    exits: dict[Ref, Exit] = {}

    async def see_off(ref: Ref) -> None:
        exits[ref] = await ref.wait_stopped()

    async with trio.open_nursery() as nursery:
        for ref in asked:
            nursery.start_soon(see_off, ref)
    return {ref: exits[ref] for ref in asked}


# --- the door ---


def _check_request(request: object) -> None:
    if not isinstance(request, Request):
        raise TypeError(why_no_request(request))


def _check_timeout(timeout: float | None) -> None:
    if timeout is not None:
        check_seconds("timeout", timeout)


def _as_step(request: object) -> Step:
    """A function that makes the request to each; TypeError for what is neither."""
    if isinstance(request, Request):
        same = cast("Request[Any]", request)
        return lambda ref, so_far: same
    if isinstance(request, type) or not callable(request):
        raise TypeError(why_no_request(request))
    if inspect.iscoroutinefunction(request):
        raise TypeError(
            f"request must be a Request or a plain function that makes one, not the async {request!r}"
        )
    return _checked(request)


def _checked(make: Callable[..., Any]) -> Step:
    def step(ref: Ref, so_far: Mapping[Ref, Outcome]) -> Request[Any]:
        request = make(ref, so_far)
        if not isinstance(request, Request):
            raise TypeError(f"{make!r} must return the request to {ref.path}: {why_no_request(request)}")
        return cast("Request[Any]", request)

    return step


def check_not_within(refs: tuple[Ref, ...]) -> None:
    """Raise ValueError where the running actor is one of these, or below one of them."""
    cell: object = CURRENT.get()
    while isinstance(cell, Cell):
        if cell.ref in refs:
            raise ValueError(
                f"{cell.path} cannot be waited for from inside it: leave it out, and end it with "
                f"ctx.stop() or ref.stop(), which do not wait"
            )
        cell = cell.parent
