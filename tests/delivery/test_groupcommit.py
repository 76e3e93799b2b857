"""Group commit: who leads, who follows, and what cancellation leaves."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from actors.delivery.sqlite.groupcommit import Call, GroupCommit


class Disk:
    """Writes groups when it is let."""

    def __init__(self) -> None:
        self.groups: list[list[object]] = []
        self.error: Exception | None = None
        self.may = threading.Semaphore(0)
        self.began = threading.Semaphore(0)
        self.most_at_once = self._at_once = 0

    def commit(self, calls: Sequence[Call]) -> None:
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        self.began.release()
        assert self.may.acquire(timeout=20)
        self.groups.append([one for call in calls for one in call.operations])
        for call in calls:
            if self.error is None:
                call.results = [f"{one}!" for one in call.operations]
            else:
                call.error = self.error
        self._at_once -= 1

    async def begun(self) -> None:
        """A group is being written, and everybody else has come to rest."""
        await trio.to_thread.run_sync(self.began.acquire)
        await wait_all_tasks_blocked()


async def _keep(writing: GroupCommit, name: str, found: dict[str, object]) -> None:
    try:
        found[name] = await writing.write([name])
    except BaseException as error:
        found[name] = error
        if not isinstance(error, Exception):
            raise


async def test_what_comes_during_a_commit_is_written_in_one_group_after_it() -> None:
    disk = Disk()
    writing = GroupCommit(disk.commit)
    found: dict[str, object] = {}
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_keep, writing, "a", found)
            await disk.begun()
            for name in "bcd":
                nursery.start_soon(_keep, writing, name, found)
                await wait_all_tasks_blocked()
            disk.may.release(2)
    assert disk.groups == [["a"], ["b", "c", "d"]]
    assert found == {name: [f"{name}!"] for name in "abcd"}
    assert disk.most_at_once == 1


async def test_the_leader_goes_when_its_own_group_is_written() -> None:
    disk = Disk()
    writing = GroupCommit(disk.commit)
    found: dict[str, object] = {}
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_keep, writing, "a", found)
            await disk.begun()
            nursery.start_soon(_keep, writing, "b", found)
            await wait_all_tasks_blocked()
            disk.may.release()
            await disk.begun()
            assert found == {"a": ["a!"]}
            disk.may.release()


async def test_a_queued_caller_that_is_cancelled_takes_back_what_it_wanted_written() -> None:
    disk = Disk()
    writing = GroupCommit(disk.commit)
    found: dict[str, object] = {}
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_keep, writing, "a", found)
            await disk.begun()
            async with trio.open_nursery() as queued:
                queued.start_soon(_keep, writing, "b", found)
                await wait_all_tasks_blocked()
                queued.cancel_scope.cancel()
            assert isinstance(found["b"], trio.Cancelled)
            disk.may.release()
    assert disk.groups == [["a"]]


async def test_a_caller_that_is_cancelled_while_it_is_written_hears_what_came_of_it() -> None:
    disk = Disk()
    writing = GroupCommit(disk.commit)
    found: dict[str, object] = {}
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_keep, writing, "a", found)
            await disk.begun()
            for name in "bc":
                nursery.start_soon(_keep, writing, name, found)
                await wait_all_tasks_blocked()
            disk.may.release()
            await disk.begun()  # the leader b and its follower c are being written
            nursery.cancel_scope.cancel()
            disk.may.release()
    assert disk.groups == [["a"], ["b", "c"]]
    assert found == {name: [f"{name}!"] for name in "abc"}


async def test_a_cancelled_leader_loses_nobody_who_queues_behind_it() -> None:
    disk = Disk()
    writing = GroupCommit(disk.commit)
    found: dict[str, object] = {}
    with trio.fail_after(20):
        async with trio.open_nursery() as others, trio.open_nursery() as first:
            first.start_soon(_keep, writing, "a", found)
            await disk.begun()
            others.start_soon(_keep, writing, "b", found)
            await wait_all_tasks_blocked()
            first.cancel_scope.cancel()
            disk.may.release(2)
    assert found == {"a": ["a!"], "b": ["b!"]}


async def test_who_is_cancelled_already_writes_nothing() -> None:
    disk = Disk()
    writing = GroupCommit(disk.commit)
    with trio.CancelScope() as scope:
        scope.cancel()
        await writing.write(["a"])
    assert scope.cancelled_caught
    assert disk.groups == []


async def test_a_commit_that_fails_is_told_to_each_and_the_next_one_goes_on() -> None:
    disk = Disk()
    disk.error = OSError("full")
    writing = GroupCommit(disk.commit)
    found: dict[str, object] = {}
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            for name in "ab":
                nursery.start_soon(_keep, writing, name, found)
            disk.may.release()
        assert all(isinstance(error, OSError) for error in found.values())
        assert sorted(found) == ["a", "b"]
        disk.error = None
        disk.may.release()
        assert await writing.write(["c"]) == ["c!"]


async def test_a_commit_that_breaks_down_leaves_nobody_waiting() -> None:
    def broken(calls: Sequence[Call]) -> None:
        raise RuntimeError("broken")

    writing = GroupCommit(broken)
    found: dict[str, object] = {}
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            for name in "abc":
                nursery.start_soon(_keep, writing, name, found)
        assert all(isinstance(error, RuntimeError) for error in found.values())
        with pytest.raises(RuntimeError, match="broken"):
            await writing.write(["d"])


async def test_the_end_waits_for_what_is_queued() -> None:
    disk = Disk()
    writing = GroupCommit(disk.commit)
    found: dict[str, object] = {}
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_keep, writing, "a", found)
            await disk.begun()
            nursery.start_soon(_keep, writing, "b", found)
            await wait_all_tasks_blocked()
            disk.may.release(2)
            await writing.wait_idle()
            assert disk.groups == [["a"], ["b"]]


async def test_a_hundred_writers_share_their_commits() -> None:
    disk = Disk()
    disk.may.release(1000)
    writing = GroupCommit(disk.commit)

    async def writer(name: int) -> None:
        for number in range(10):
            assert await writing.write([(name, number)]) == [f"{(name, number)}!"]

    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            for name in range(100):
                nursery.start_soon(writer, name)
    written = [one for group in disk.groups for one in group]
    assert len(written) == len(set(written)) == 1000
    assert len(disk.groups) <= 30  # 10 where all keep step
