"""The watchdog thread, on a loop that is really blocked, for short times."""

from __future__ import annotations

import logging
import signal
import threading
import time

import pytest
import trio
import trio.testing

import actors
from actors.events import LoopBlocked

QUICK = actors.Watchdog(warn=0.1, dump=0.3)


def stand_still(seconds: float) -> None:
    """Block the loop."""
    time.sleep(seconds)


class Rude(actors.Actor):
    """Blocks the loop."""

    @actors.receive
    def block(self, message: float) -> None:
        time.sleep(message)


def dogs() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "actors watchdog"]


async def test_a_handler_that_blocks_the_loop_is_named(caplog: pytest.LogCaptureFixture) -> None:
    """A warning, the stacks, the end, and an event once the loop goes on."""
    caplog.set_level(logging.WARNING, logger="actors.watchdog")
    async with actors.open_system("s", watchdog=QUICK) as system, system.subscribe(LoopBlocked) as events:
        rude = await system.start(Rude, name="rude")
        rude.tell(0.6)
        with trio.fail_after(20):
            event = await events.__anext__()
    assert isinstance(event, LoopBlocked)
    assert event.seconds >= 0.3
    assert "Rude.block" in event.where
    assert event.where.endswith("task /rude")
    warning, stacks, over = (record.getMessage() for record in caplog.records)
    assert "has stood still for 0." in warning
    assert "test_watchdog.py:" in warning
    assert "MainThread" in stacks
    assert "time.sleep(message)" in stacks
    assert "goes on" in over


async def test_a_loop_that_waits_or_works_in_small_steps_is_left_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Its limit leaves room for the garbage collector, and for others on the machine."""
    async with actors.open_system("s", watchdog=actors.Watchdog(warn=0.6, dump=1.2)) as system:
        rude = await system.start(Rude)
        await trio.sleep(0.8)
        for _ in range(700):
            rude.tell(0.001)
        rude.drain()
        await rude.wait_stopped()
    assert caplog.records == []


async def test_a_loop_that_runs_one_short_task_after_the_other_is_left_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Each takes the memory of the one before, and has its address."""

    async def short(ctx: actors.Context) -> None:
        stand_still(0.02)

    async with actors.open_system("s", watchdog=actors.Watchdog(warn=0.6, dump=1.2)) as system:
        for _ in range(40):
            await system.spawn(short).wait_stopped()
    assert caplog.records == []


async def test_an_idle_loop_is_not_woken() -> None:
    class Passes(trio.abc.Instrument):
        count = 0

        def before_io_wait(self, timeout: float) -> None:
            self.count += 1

    async with actors.open_system("s", watchdog=actors.Watchdog(warn=0.04, dump=0.1)):
        await trio.testing.wait_all_tasks_blocked()
        trio.lowlevel.add_instrument(passes := Passes())
        await trio.sleep(0.2)
        trio.lowlevel.remove_instrument(passes)
    assert passes.count == 1


async def test_a_block_that_the_end_of_the_system_follows_is_told_to_its_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The event comes before the subscription ends."""
    events: list[actors.events.Event] = []

    async def listen(system: actors.System) -> None:
        async with system.subscribe(LoopBlocked) as subscription:
            events.extend([event async for event in subscription])

    slow = actors.Watchdog(warn=0.4, dump=5)  # the next look would come too late
    async with trio.open_nursery() as nursery, actors.open_system("s", watchdog=slow) as system:
        nursery.start_soon(listen, system)
        await trio.testing.wait_all_tasks_blocked()
        stand_still(0.7)
    (event,) = events
    assert isinstance(event, LoopBlocked)
    assert event.seconds >= 0.4
    assert "goes on" in caplog.records[-1].getMessage()


async def test_all_systems_of_a_run_share_one_thread() -> None:
    """It ends with the last of them."""
    assert dogs() == []
    async with actors.open_system("a"):
        async with actors.open_system("b", watchdog=QUICK):
            assert len(dogs()) == 1
        assert len(dogs()) == 1
    assert dogs() == []


async def test_without_a_watchdog_there_is_no_thread() -> None:
    async with actors.open_system("a", watchdog=None):
        assert dogs() == []


async def test_the_thread_ends_with_a_block_that_fails() -> None:
    with pytest.raises(KeyError):
        async with actors.open_system("a"):
            raise KeyError("no")
    assert dogs() == []


def test_the_thread_ends_with_a_block_that_ctrl_c_ends() -> None:
    async def main() -> None:
        async with actors.open_system("a"):
            signal.raise_signal(signal.SIGINT)
            await trio.sleep_forever()

    with pytest.raises(KeyboardInterrupt):
        trio.run(main)
    assert dogs() == []


async def test_where_there_is_no_thread_to_be_had_the_system_opens_unwatched(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The next one tries again."""

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        async with actors.open_system("b"):
            assert dogs() == []
    assert "can't start new thread" in caplog.text
    async with actors.open_system("c"):
        assert len(dogs()) == 1


async def test_a_log_handler_that_raises_does_not_end_the_watch(caplog: pytest.LogCaptureFixture) -> None:
    """The event comes all the same."""

    class Broken(logging.Filter):
        def filter(self, record: logging.LogRecord) -> bool:
            raise RuntimeError("broken")

    broken = Broken()
    log = logging.getLogger("actors.watchdog")
    log.addFilter(broken)
    try:
        async with actors.open_system("s", watchdog=QUICK) as system, system.subscribe(LoopBlocked) as events:
            rude = await system.start(Rude)
            for _ in range(2):
                rude.tell(0.4)
                with trio.fail_after(20):
                    assert isinstance(await events.__anext__(), LoopBlocked)
    finally:
        log.removeFilter(broken)


def test_a_wrong_setting_is_refused_at_the_door() -> None:
    with pytest.raises(TypeError, match=r"actors\.Watchdog"):
        actors.open_system("s", watchdog=1.0)  # type: ignore[arg-type]
