"""`check_store`: holds a store to what its port promises, for whoever writes one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final, cast

import trio

from actors.delivery.store import Store
from actors.testing import keeping, programs, reopening, sharing, tickets
from actors.testing.bench import Bench, ConformanceError

__all__ = ["CHECKS_OF_SHARED", "STORE_CHECKS", "check_store"]

_CHECKS: Final[tuple[Callable[[Bench], Awaitable[None]], ...]] = (
    tickets.keeps_what_was_posted,
    tickets.posts_once,
    tickets.holds_keys,
    tickets.holds_the_capacity,
    tickets.holds_the_order,
    tickets.makes_every_move,
    tickets.counts_attempts,
    tickets.knows_each_delivery,
    keeping.keeps_state_with_the_move,
    keeping.finds_states_by_path,
    keeping.posts_what_follows,
    keeping.knows_what_is_due,
    keeping.finds_by_place,
    keeping.keeps_a_feed,
    keeping.wakes_who_waits_for_a_change,
    keeping.prunes_what_ended,
    keeping.drops_and_redelivers,
    keeping.remembers_what_was_handled,
    keeping.writes_groups_in_order,
    keeping.changes_nothing_twice,
    reopening.keeps_all_over_reopening,
    reopening.keeps_all_over_a_crash,
    reopening.recovers_what_was_in_hand,
    reopening.leaves_in_hand_what_its_owner_has,
    reopening.serves_many_at_once,
    reopening.survives_cancelled_callers,
    reopening.keeps_others_out,
    keeping.keeps_ten_thousand_changes,
)
CHECKS_OF_SHARED: Final[tuple[Callable[[Bench], Awaitable[None]], ...]] = (
    sharing.shows_all_to_every_node,
    sharing.gives_names_to_one,
    sharing.refuses_old_tokens,
    sharing.frees_what_nobody_renews,
    sharing.frees_the_names_of_an_earlier_incarnation,
    sharing.gives_each_ticket_once,
    sharing.signals_other_nodes,
    sharing.tells_of_what_the_lapsed_lost,
)
STORE_CHECKS: Final[Mapping[str, Callable[[Bench], Awaitable[None]]]] = {
    check.__name__: check for check in (*_CHECKS, *CHECKS_OF_SHARED, programs.does_as_the_reference)
}
"""All checks by name; the docstring of each is the promise that it holds a store to."""


async def check_store(
    make: Callable[[str], Store],
    *,
    after_crash: Callable[[str], Store] | None = None,
    seeds: int = 10,
    only: str | None = None,
    limit: float = 60.0,
) -> None:
    """Hold a store to all that `actors.delivery.store` and `actors.delivery.operations` promise.

    `make(name)` gives a store, not opened, on the data of that name: empty at first, and the same data
    each time it is called with the same name. Each check has a name of its own.

    `after_crash(name)` gives a store on what another process would find if this one were killed now: a
    copy, made while the data of that name is in use. Without it a store is only closed in order, and a kill
    is for a campaign with real processes to show.

    `seeds` is the number of random programs that are compared with the reference; `only` is the name of one
    of `STORE_CHECKS` to run alone. No check may take longer than `limit` seconds.

    A test of a store in a file::

        async def test_my_store_keeps_its_promises(tmp_path):
            await check_store(lambda name: MyStore(tmp_path / name))

    Raises `ConformanceError` for the first promise that is broken. It needs a trio run: under a mock
    clock that jumps a store in memory takes no time; one with a server that has a clock of its own needs
    the real one, and some seconds for its leases to lapse.

    Not checked: power loss, damaged data, and how many nodes it bears.
    """
    is_shared = make("kind").is_shared
    for name, check in STORE_CHECKS.items():
        if only not in {None, name} or (check in CHECKS_OF_SHARED and not is_shared):
            continue
        for seed in range(seeds if check is programs.does_as_the_reference else 1):
            data = f"{name}_{seed}"
            copy = None if after_crash is None else partial(after_crash, data)
            await _run(check, Bench(_promise(check), partial(make, data), copy, seed), limit)


def _promise(check: Callable[[Bench], Awaitable[None]]) -> str:
    return (check.__doc__ or "").strip()


async def _run(check: Callable[[Bench], Awaitable[None]], bench: Bench, limit: float) -> None:
    """One check: whatever goes wrong in it is a promise that is broken."""
    try:
        with trio.fail_after(limit):
            await check(bench)
    except trio.TooSlowError as error:
        raise bench.fail(f"it did not come to its end within {limit:g} s") from error
    except Exception as error:
        only = _alone(error)
        if isinstance(only, ConformanceError):
            raise only from None
        raise bench.fail(f"it raised {only!r}") from error


def _alone(error: Exception) -> Exception:
    """What a nursery has wrapped: a broken promise before anything else."""
    if not isinstance(error, ExceptionGroup):
        return error
    leaves = [_alone(one) for one in cast("ExceptionGroup[Exception]", error).exceptions]
    return next((leaf for leaf in leaves if isinstance(leaf, ConformanceError)), leaves[0])
