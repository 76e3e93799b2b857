"""Who plays: the messages of a campaign, and the actors whose saved state is the effect that is judged."""

from __future__ import annotations

import enum
from random import Random

import trio

import actors
from actors.testing import Journal, Noted

__all__ = ["LOOSE", "MOST", "PATHS", "POLICY", "Kind", "Tally", "Tell", "Work", "Worker", "spawn_workers"]

MOST = 8
"""`max_attempts` of every post."""
LOOSE = "/loose"
"""Whose messages pass one that failed."""
PATHS = ("/one", "/two", "/three", LOOSE)

_AT_ONCE = actors.Backoff(initial=0.001, maximum=0.005)
POLICY = actors.Policy(
    restart="permanent", backoff=_AT_ONCE, breaker=None, delivery=actors.Delivery(backoff=_AT_ONCE)
)
_OF_LOOSE = actors.Policy(
    restart="permanent",
    backoff=_AT_ONCE,
    breaker=None,
    delivery=actors.Delivery(backoff=_AT_ONCE, ordered=False),
)


class Kind(enum.Enum):
    """What becomes of a message in its handler."""

    EASY = "easy"
    SLOW = "slow"
    SHAKY = "shaky"  # fails now and then, before or after its state is saved
    HOPELESS = "hopeless"
    REFUSED = "refused"
    ONWARD = "onward"  # posts another one, with a key, and gets its reply as a message


@actors.message(tag="chaos.Work")
class Work(actors.Request[str]):
    id: str
    kind: str
    onward: str = ""


@actors.message(tag="chaos.Tell")
class Tell(actors.Request[tuple[str, ...]]):
    """What has been done?"""


@actors.message(tag="chaos.Tally")
class Tally:
    """The saved state: what was done, each time it was done."""

    done: tuple[str, ...]


class Worker(actors.Actor):
    """Does its work by keeping that it was done. It does not look whether it was done before."""

    def __init__(self, journal: Journal, dice: Random) -> None:
        self._journal = journal
        self._dice = dice
        self._done: tuple[str, ...] = ()

    async def on_restore(self, state: Tally) -> None:
        self._done = state.done

    @actors.receive
    def tell(self, message: Tell) -> tuple[str, ...]:
        return self._done

    @actors.receive
    async def work(self, message: Work) -> str:
        kind = Kind(message.kind)
        self._journal.note(Noted.BEGUN, message.id, path=self.ctx.ref.path)
        if kind is Kind.SLOW:
            await trio.sleep(self._dice.uniform(0, 0.01))
        if kind is Kind.SHAKY and self._dice.random() < 0.3:
            raise RuntimeError("shaky before")
        if kind is Kind.ONWARD:
            await self._post_on(message)
        await self._keep(message.id)
        if kind is Kind.HOPELESS or (kind is Kind.SHAKY and self._dice.random() < 0.3):
            raise RuntimeError("shaky after")
        self._journal.note(Noted.ENDED, message.id)
        if kind is Kind.REFUSED:
            raise actors.Refused("not this one")
        return message.id

    async def _post_on(self, message: Work) -> None:
        next_id = f"{message.id}+"
        self._journal.note(Noted.POSTING, next_id, path=message.onward)
        following = Work(next_id, Kind.EASY.value)
        await self.ctx.system.post(message.onward, following, key=next_id, max_attempts=MOST)
        self._journal.note(Noted.POSTED, next_id)

    @actors.receive
    async def replied(self, message: actors.TicketReply) -> None:
        await self._keep(f"{message.ticket_id}:reply")

    async def _keep(self, what: str) -> None:
        self._done = (*self._done, what)
        await self.ctx.save(Tally(self._done))


def spawn_workers(system: actors.System, journal: Journal, dice: Random) -> list[actors.Ref]:
    """All recipients."""
    return [
        system.spawn(Worker, journal, dice, name=path[1:], policy=_OF_LOOSE if path == LOOSE else POLICY)
        for path in PATHS
    ]
