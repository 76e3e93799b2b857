"""What is known of a run: its signs of life, what it has written, and its one verdict."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import actors
from actors import Exit, ExitKind
from actors.core.vigil import Vigil
from actors.timeouts import DeadlineGuard
from tests.timeouts.cast import Doer, do, quiet


def vigil_of(ref: actors.Ref) -> Vigil:
    vigil = ref.cell.vigil
    assert vigil is not None
    return vigil


@pytest.mark.row(15)
async def test_what_is_written_is_counted_by_stream_and_run(autojump_clock: MockClock) -> None:
    """stderr leaves stdout as it was, `progress(n)` counts as stdout, and each run begins at nothing."""

    async def write(ctx: actors.Context) -> None:
        ctx.output(b"12345")
        ctx.output(b"123", "stderr")
        ctx.progress(10)

    async with actors.open_system("s") as system:
        ref = await system.start(Doer, policy=quiet(1000.0))
        pending = ref.request(do(5.0, write, 5.0))
        await trio.sleep(7.0)
        vigil = vigil_of(ref)
        assert (vigil.stdout, vigil.stderr, vigil.written) == (15, 3, 18)
        assert (vigil.since, vigil.last, vigil.activity(), vigil.quiet_since()) == (0.0, 5.0, 5.0, 5.0)
        await pending.wait()
        ref.tell(do(5.0))
        await wait_all_tasks_blocked()
        assert (vigil.stdout, vigil.stderr, vigil.written) == (0, 0, 0)
        assert (vigil.since, vigil.last, vigil.activity(), vigil.quiet_since()) == (10.0, None, None, 10.0)


async def test_an_unknown_stream_is_refused() -> None:
    """The two there are stand in the error."""

    async def write(ctx: actors.Context) -> None:
        with pytest.raises(ValueError, match='"stdout" or "stderr", not \'log\''):
            ctx.output(b"x", "log")

    async with actors.open_system("s") as system:
        ref = await system.start(Doer, policy=quiet(1000.0))
        await ref.ask(do(write))


async def test_the_first_verdict_stands(autojump_clock: MockClock) -> None:
    """Whatever several guards find in one moment, there is one end for one reason."""
    async with actors.open_system("s") as system:
        ref = await system.start(Doer, policy=quiet(1000.0))
        ref.tell(do(100.0))
        await wait_all_tasks_blocked()
        vigil = vigil_of(ref)
        vigil.condemn(Exit(ExitKind.PATTERN, error=actors.PatternFound("x", "x")))
        vigil.condemn(Exit(ExitKind.STALLED, error=actors.Stalled(5.0)))
        assert (await ref.wait_stopped()).kind is ExitKind.PATTERN
        assert vigil.verdict is None


async def test_nobody_is_ended_between_two_runs(autojump_clock: MockClock) -> None:
    """A verdict that comes too late is about nothing that runs."""
    async with actors.open_system("s") as system:
        ref = await system.start(Doer, name="a", policy=quiet(1000.0))
        await ref.ask(do(1.0))
        await wait_all_tasks_blocked()
        vigil_of(ref).condemn(Exit(ExitKind.STALLED, error=actors.Stalled(5.0)))
        await ref.ask(do(1.0))
        assert ref.statistics().failed == 0


async def test_only_actors_with_limits_have_guards(autojump_clock: MockClock) -> None:
    """The others have not even a vigil, until one of them says that it waits."""
    async with actors.open_system("s") as system:
        bounded = await system.start(Doer, policy=quiet(1.0))
        free = await system.start(Doer, policy=actors.Policy())
        assert [type(guard) for guard in vigil_of(bounded).guards] == [DeadlineGuard]
        assert free.cell.vigil is None
