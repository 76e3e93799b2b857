"""The observer: the actor at `/system/observer`, which tells others how the system stands and what happens.

It is made when somebody from another process asks for it. Each request has a task of its own, so that one
that waits holds up nobody. The journal goes on when it is restarted: that belongs to the system.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Any, Final

import trio

from actors.checks import check_count, check_seconds
from actors.core.actor import function
from actors.core.scope import CURRENT
from actors.errors import ActorError, Refused
from actors.observe import service
from actors.observe.fact import Fact
from actors.observe.snapshot import dead_letters, rows, summary
from actors.policy import Policy

if TYPE_CHECKING:
    from actors.core.ask import ReplyPort
    from actors.core.context import Context
    from actors.observe.journal import Journal
    from actors.system import System

__all__ = ["OBSERVER", "OBSERVER_POLICY", "observer"]

OBSERVER: Final = "observer"
"""Its name below `/system`."""
OBSERVER_POLICY: Final = Policy(restart="permanent", breaker=None)
"""What it runs under."""
_LONGEST: Final = 30.0
"""Seconds that one request waits: who has gone meanwhile is waited for no longer than that."""
_CHARACTERS: Final = 200_000
"""Of one page, so that it passes any link."""
_NUMBERS: Final = ("depth", "restarts", "handled", "failed", "uptime")


@function(readiness=True)
async def observer(ctx: Context) -> None:
    """Serve until the end."""
    system, journal = ctx.system, ctx.system.journal
    ctx.ready()
    async with trio.open_nursery() as nursery:
        async for message in ctx.inbox:
            if isinstance(message, service.REQUESTS):
                nursery.start_soon(_serve, system, journal, message, ctx.reply_later())
        nursery.cancel_scope.cancel()


async def _serve(system: System, journal: Journal, request: Any, port: ReplyPort) -> None:
    """Answer one request. What cannot be done is refused in words."""
    CURRENT.set(None)  # what is told again is told by somebody outside
    try:
        reply = await _reply(system, journal, request)
    except (ActorError, TypeError, ValueError) as error:
        port.fail(Refused(str(error)))
    except Exception as error:  # whatever it is, it concerns this request alone
        port.fail(error)
    else:
        port.answer(reply)


async def _reply(system: System, journal: Journal, request: Any) -> Any:
    await trio.lowlevel.checkpoint()
    match request:
        case service.TellSnapshot():
            return await _sight(system, request)
        case service.TellWhy():
            return journal.why(request.path)
        case service.TellHistory():
            return service.FactPage(journal.history(request.path), journal.last, 0, journal.session)
        case service.NextFacts():
            return await _next(journal, request)
        case service.TellDead():
            return dead_letters(system)
        case _:
            return journal.letters.redeliver(str(request.number))


async def _sight(system: System, request: service.TellSnapshot) -> service.Sight:
    most = check_count("most", request.most)
    by = request.by
    if by != "path" and by not in _NUMBERS:
        raise ValueError(f"actors are sorted by path, {', '.join(_NUMBERS)}, not by {by!r}")
    found = await rows(system)
    said = await summary(system, found)
    most = min(most, _CHARACTERS // 250)
    chosen = found[:most] if by == "path" else heapq.nlargest(most, found, key=lambda row: row[by])
    return service.Sight(said, chosen, len(found) - len(chosen))


async def _next(journal: Journal, request: service.NextFacts) -> service.FactPage:
    check_seconds("seconds", request.seconds)
    after = journal.last if request.after is None else request.after
    missed = 0
    with trio.move_on_after(min(request.seconds, _LONGEST)):
        while True:
            page = journal.after(after, kinds=request.kinds, path=request.path)
            after, missed = page.after, missed + page.missed
            if page.facts:
                facts = _that_fit(page.facts)
                after = after if len(facts) == len(page.facts) else facts[-1].number
                return service.FactPage(facts, after, missed, journal.session)
            if missed or journal.closed:
                break
            await journal.wait(after)
    return service.FactPage((), after, missed, journal.session)


def _that_fit(facts: tuple[Fact, ...]) -> tuple[Fact, ...]:
    left = _CHARACTERS
    for index, fact in enumerate(facts):
        left -= len(fact.text) + 200 + len(str(fact.details))
        if left < 0 and index:
            return facts[:index]
    return facts
