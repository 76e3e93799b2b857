from __future__ import annotations

import logging
import os
import signal
import subprocess
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TypeAlias

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from actors.process import group as group_module
from actors.process.group import ProcessGroup, group_of, hears_term
from tests.process.witnesses import Lifeline, runs

Lead: TypeAlias = Callable[[str], Awaitable[tuple[ProcessGroup, bytes]]]


@pytest.fixture
async def lead(lifeline: Lifeline) -> AsyncGenerator[Lead]:
    """Starts a shell as the leader of a group; it says a line when it is up."""
    groups: list[ProcessGroup] = []

    async def start(script: str) -> tuple[ProcessGroup, bytes]:
        process = await trio.lowlevel.open_process(
            lifeline.held(script), stdout=subprocess.PIPE, start_new_session=True
        )
        groups.append(ProcessGroup(process))
        assert process.stdout is not None
        return groups[-1], await process.stdout.receive_some()

    yield start
    for group in groups:
        await group.end()
        assert group.leader.stdout is not None
        await group.leader.stdout.aclose()


async def test_a_signal_reaches_every_member(lead: Lead, lifeline: Lifeline) -> None:
    """The leader and its children alike."""
    group, _ = await lead("sleep 60 & sleep 60 & echo up; wait")
    assert group.kill()
    await lifeline.wait_released()


async def test_the_last_member_is_waited_for(lead: Lead, lifeline: Lifeline) -> None:
    """The group is empty when everybody who outlived the leader has ended."""
    group, said = await lead("trap '' TERM; sleep 60 & echo $!; exec sleep 60")
    os.kill(group.leader.pid, signal.SIGKILL)
    await group.leader.wait()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(group.wait_empty)
        await wait_all_tasks_blocked()
        assert runs(int(said))
        os.kill(int(said), signal.SIGKILL)
    assert not runs(int(said))
    await lifeline.wait_released()


async def test_who_lost_term_while_it_was_started_is_asked_again(lead: Lead, lifeline: Lifeline) -> None:
    """A member that TERM would have ended, and that lives, has not got it."""
    group, _ = await lead("sleep 60 & echo up; exec sleep 60")
    os.kill(group.leader.pid, signal.SIGKILL)
    await group.leader.wait()
    await group.wait_empty()
    await lifeline.wait_released()


async def test_an_empty_group_is_remembered(lead: Lead) -> None:
    """Once nobody is left its number may be somebody else's: no signal is sent any more."""
    group, _ = await lead("echo up")
    await group.end()
    assert not group.signal(0)
    assert not group.terminate()


async def test_the_first_refusal_is_remembered(lead: Lead, monkeypatch: pytest.MonkeyPatch) -> None:
    """After "no such process" the system is not even asked."""
    group, _ = await lead("echo up; exec sleep 60")
    asked: list[int] = []

    def nobody(number: int, _: int) -> None:
        asked.append(number)
        raise ProcessLookupError

    with monkeypatch.context() as patch:
        patch.setattr(os, "killpg", nobody)
        assert not group.signal(0)
        assert not group.signal(0)
    assert asked == [group.leader.pid]
    await ProcessGroup(group.leader).end()


async def test_a_group_out_of_reach_takes_no_signal(lead: Lead, monkeypatch: pytest.MonkeyPatch) -> None:
    """Members that changed their user, and zombies on some systems, are nobody to talk to."""
    group, _ = await lead("echo up; exec sleep 60")

    def refuse(*_: int) -> None:
        raise PermissionError

    with monkeypatch.context() as patch:
        patch.setattr(os, "killpg", refuse)
        assert not group.signal(0)
    assert group.signal(0)


async def test_the_end_reaps_the_leader_and_is_idempotent(lead: Lead, lifeline: Lifeline) -> None:
    """No zombie is left, and ending twice is ending once."""
    group, _ = await lead("sleep 60 & echo up; wait")
    await group.end()
    await group.end()
    assert group.leader.returncode == -signal.SIGKILL
    await lifeline.wait_released()


async def test_the_end_is_shielded(lead: Lead, lifeline: Lifeline) -> None:
    """Cancellation does not keep it from reaping."""
    group, _ = await lead("sleep 60 & echo up; wait")
    with trio.CancelScope() as scope:
        scope.cancel()
        await group.end()
    assert group.leader.returncode is not None
    await lifeline.wait_released()


async def test_a_group_that_cannot_be_killed_is_given_up(
    lead: Lead, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The end is bounded, and says so."""
    group, _ = await lead("echo up; exec sleep 60")
    with monkeypatch.context() as patch, caplog.at_level(logging.ERROR):
        patch.setattr(group_module, "REAP_SECONDS", 0.01)
        patch.setattr(group, "signal", lambda number: False)
        await group.end()
    assert f"process group {group.leader.pid} is still there" in caplog.text
    await ProcessGroup(group.leader).end()


async def test_waiting_ends_when_there_are_no_more_descriptors(
    lead: Lead, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be waited for is not waited for: KILL follows anyway."""
    group, _ = await lead("echo up; exec sleep 60")

    def no_more(_: int) -> int:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pidfd_open", no_more)
        await group.wait_empty()


async def test_a_member_that_ended_meanwhile_is_not_waited_for(
    lead: Lead, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was listed, and is gone when its turn comes."""
    group, _ = await lead("trap '' TERM; echo up; exec sleep 60")
    listed = iter([[group.leader.pid], []])

    def gone(_: int) -> int:
        raise ProcessLookupError

    with monkeypatch.context() as patch:
        patch.setattr(group_module, "_running", lambda number: next(listed))
        patch.setattr(os, "pidfd_open", gone)
        await group.wait_empty()
    assert next(listed, None) is None


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (b"7 (sleep) S 1 42 42 0 -1", (42, True)),
        (b"7 (a) Z (b) Z 1 42 42 0 -1", (42, False)),
        (b"7 (x\n) y) X 1 43 42 0 -1", (43, False)),
    ],
)
def test_the_group_is_read_behind_the_name(status: bytes, answer: tuple[int, bool]) -> None:
    """A program may have spaces and parentheses in its name."""
    assert group_of(status) == answer


@pytest.mark.parametrize(
    ("blocked", "caught", "answer"),
    [(b"0", b"0000000000004000", True), (b"4002", b"0", True), (b"0", b"ffffffffffffbfff", False)],
)
def test_who_hears_term_is_read(blocked: bytes, caught: bytes, answer: bool) -> None:
    """The bit of TERM in the masks of what a process blocks and catches."""
    status = b"Name:\tx\nSigBlk:\t%b\nSigIgn:\t4000\nSigCgt:\t%b\nCapInh:\t0\n" % (blocked, caught)
    assert hears_term(status) is answer
