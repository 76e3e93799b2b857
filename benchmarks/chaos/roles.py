"""What the processes of a campaign do: post, work, and at the end drain and tell what they find."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Callable, Sequence
from random import Random

import attrs
import trio

import actors
from actors.delivery import Store
from actors.delivery.errors import StoreError
from actors.delivery.ticket import LIVE, Entry
from actors.testing import Journal, Noted
from benchmarks.chaos.cast import MOST, PATHS, Kind, Tell, Work, spawn_workers
from benchmarks.chaos.children import Line

__all__ = ["Life", "Post", "drain", "live", "worked_off"]

_KINDS = (*(Kind.EASY,) * 5, Kind.SLOW, Kind.SLOW, Kind.SHAKY, Kind.SHAKY, Kind.ONWARD, Kind.REFUSED)
_POSTERS = 4


@attrs.frozen
class Post:
    """One message that is to be posted; with a key its id is the key."""

    id: str
    path: str
    priority: int
    kind: str
    onward: str
    has_key: bool

    @classmethod
    def drawn(cls, number: str, dice: Random) -> Post:
        """A random one."""
        kind = Kind.HOPELESS if dice.random() < 0.01 else dice.choice(_KINDS)
        has_key = dice.random() < 0.4
        path, onward = dice.sample(PATHS, 2)
        mark = "k" if has_key else "m"
        return cls(f"{mark}{number}", path, dice.choice((0, 0, 1)), kind.value, onward, has_key)


@attrs.frozen
class Life:
    """What one process is to do until it is told to stop, or for `seconds`."""

    name: str
    """Of its node."""
    mark: str
    """What its message ids begin with: no two lives have the same."""
    store: Store
    journal: str
    seed: str
    posts: bool
    works: bool
    seconds: float = math.inf
    lease: float = 15.0
    pause: float = 0.004
    """Seconds between the posts of one task, at most."""
    again: Sequence[Post] = ()
    """Of an earlier life, with keys, and it is not known whether they arrived."""


async def live(life: Life, line: Line) -> None:
    """One life, from opening to closing; it says "o" when it is open, and "c" when it closes."""
    dice = Random(life.seed)
    journal = Journal(life.journal, life.mark)
    async with actors.open_system(
        life.name,
        store=life.store,
        strategy=actors.OneForOne(max_restarts=10**9),
        lease=life.lease,
        watchdog=None,
    ) as system:
        if life.works:
            spawn_workers(system, journal, dice)
        line.say(b"o")
        async with trio.open_nursery() as nursery:
            if life.posts:
                for number in range(_POSTERS):
                    again = life.again[number::_POSTERS]
                    nursery.start_soon(_post_on, system, life, f"{life.mark}.{number}", again, journal)
            with trio.move_on_after(life.seconds):
                await line.told_to_stop()
            nursery.cancel_scope.cancel()
        line.say(b"c")


async def _post_on(
    system: actors.System, life: Life, mark: str, again: Sequence[Post], journal: Journal
) -> None:
    dice = Random(f"{life.seed} {mark}")
    for post in again:
        await _post(system, post, journal)
    number = 0
    while True:
        number += 1
        post = Post.drawn(f"{mark}.{number}", dice)
        await _post(system, post, journal)
        if post.has_key and dice.random() < 0.2:
            await _post(system, post, journal)
        await trio.sleep(dice.uniform(0, life.pause))


async def _post(system: actors.System, post: Post, journal: Journal) -> None:
    message = Work(post.id, post.kind, post.onward)
    key = post.id if post.has_key else None
    # what a later life needs to post it again stands in the record
    journal.note(
        Noted.POSTING, post.id, path=post.path, priority=post.priority, state=f"{post.kind} {post.onward}"
    )
    try:
        await system.post(post.path, message, key=key, priority=post.priority, max_attempts=MOST)
    except StoreError:
        journal.note(Noted.UNKNOWN, post.id)
    except actors.SystemClosed:
        pass
    else:
        journal.note(Noted.POSTED, post.id)


async def drain(make: Callable[[], Store], journal_path: str, seed: str, limit: float, line: Line) -> None:
    """Work everything off, then note what was done and where each ticket is."""
    journal = Journal(journal_path, "drain")
    async with actors.open_system(
        "drain", store=make(), strategy=actors.OneForOne(max_restarts=10**9), watchdog=None, lease=1.0
    ) as system:
        workers = spawn_workers(system, journal, Random(seed))
        with trio.move_on_after(limit):
            await worked_off(system)
        for worker in workers:
            for done in await worker.ask(Tell(), timeout=10):
                journal.note(Noted.EFFECT, done)
        after = 0
        while entries := await system.posted.find(after=after, limit=500):
            for entry in entries:
                after = entry.seq
                journal.note(
                    Noted.FINAL,
                    _id_of(entry),
                    state=entry.state.value,
                    attempt=entry.attempts,
                    path=entry.path,
                )
    line.say(b"d")


async def worked_off(system: actors.System) -> None:
    """Return when no ticket is live any more."""
    async with system.posted.feed() as feed:
        while True:
            if not await system.posted.waiting():
                return
            with contextlib.suppress(actors.FeedGap):
                async for change in feed:
                    if change.state not in LIVE:
                        break


def _id_of(entry: Entry) -> str:
    if entry.answers is not None:
        return f"{entry.answers}:reply"
    return str(json.loads(entry.payload)["id"])
