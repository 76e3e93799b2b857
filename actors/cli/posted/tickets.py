"""`actors tickets` and `actors dead`: what was posted, what became of it, and what can be done about it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TextIO

import attrs

from actors.checks import check_count
from actors.cli.misuse import Misused
from actors.cli.posted.show import (
    change_json,
    change_line,
    story_json,
    story_text,
    ticket_json,
    ticket_table,
)
from actors.cli.posted.speak import FAILED, complain, run_command, say
from actors.cli.posted.way import Target, Way, must_exist, opened, read, running
from actors.cli.report import print_console
from actors.delivery.admin import states_of
from actors.delivery.door import recipient_path
from actors.delivery.service import (
    ChangePage,
    DropDead,
    FindTickets,
    ForgetState,
    NextChanges,
    RedeliverDead,
    TellStory,
    TicketFacts,
    TicketPage,
    TicketStory,
)
from actors.errors import ActorError, Refused

__all__ = ["Query", "drop", "find", "follow", "forget", "redeliver", "tell"]

_DEAD = "dead"
_PAGE = 500


@attrs.frozen(kw_only=True)
class Query:
    """Which tickets are meant. `after` is the number of the last one seen."""

    states: Sequence[str] = ()
    path: str | None = None
    after: int | None = None
    limit: int = 100

    def checked(self) -> Query:
        """The same; raises `Misused`."""
        try:
            states_of(self.states)
            check_count("--limit", self.limit)
            if self.after is not None:
                check_count("--after", self.after, least=0)
            path = None if self.path is None else recipient_path(self.path)
        except (ActorError, TypeError, ValueError) as error:
            raise Misused(str(error)) from None
        return attrs.evolve(self, path=path)


def find(command: str, target: Target, query: Query, as_json: bool, out: TextIO, err: TextIO) -> int:
    """Print tickets in the order of their receipts; the exit code."""

    async def do() -> None:
        wanted = query.checked()
        tickets: list[TicketFacts] = []
        async with read(target) as way:
            more = await _collect(way, wanted, tickets, out if as_json else None)
        if as_json:
            return
        if tickets:
            print_console(out).print(ticket_table(tickets, time.time()))
        await say(out, _footer(tickets, more))

    return run_command(command, do, err)


def _footer(tickets: Sequence[TicketFacts], more: bool) -> str:
    if not tickets:
        return "no tickets\n"
    return f"there are more: --after {tickets[-1].seq}\n" if more else ""


async def _collect(way: Way, query: Query, tickets: list[TicketFacts], out: TextIO | None) -> bool:
    """Page by page; written at once where `out` is given. True: there are more than were wanted."""
    after, left = query.after or 0, query.limit
    while True:
        page: TicketPage = await way.ask(FindTickets(tuple(query.states), query.path, after, left))
        if out is None:
            tickets += page.tickets
        else:
            await say(out, "".join(f"{ticket_json(one)}\n" for one in page.tickets))
        left -= len(page.tickets)
        if left <= 0 or not page.more or not page.tickets:
            return page.more
        after = page.tickets[-1].seq


def tell(target: Target, ticket_id: str, as_json: bool, out: TextIO, err: TextIO) -> int:
    """Print all about one ticket; the exit code."""

    async def do() -> None:
        async with read(target) as way:
            story: TicketStory = await way.ask(TellStory(ticket_id))
        await say(out, story_json(story) + "\n" if as_json else story_text(story))

    return run_command("tickets", do, err)


def follow(target: Target, query: Query, as_json: bool, out: TextIO, err: TextIO) -> int:
    """Print every change as it happens, until Ctrl-C; the exit code."""

    async def do() -> None:
        wanted = query.checked()
        after = wanted.after
        async with running(target) as way:
            while True:
                page: ChangePage = await way.ask(NextChanges(after, wanted.path, tuple(wanted.states)))
                after = page.after
                if page.missed:
                    complain("tickets", f"{page.missed} changes are kept no more, and left out here", err)
                line = change_json if as_json else change_line
                await say(out, "".join(f"{line(one)}\n" for one in page.changes))

    return run_command("tickets", do, err)


def forget(target: Target, path: str, out: TextIO, err: TextIO) -> int:
    """Forget the saved state of an actor; the exit code."""

    async def do() -> None:
        wanted = Query(path=path).checked().path
        must_exist(target)
        async with opened(target) as way:
            await way.ask(ForgetState(wanted or ""))
        await say(out, f"{wanted}: its state is forgotten\n")

    return run_command("tickets", do, err)


# --- dead letters -------------------------------------------------------------------


def redeliver(target: Target, ids: Sequence[str], query: Query | None, out: TextIO, err: TextIO) -> int:
    """Post dead letters anew, those named or (with a query) all; the exit code."""

    async def one(way: Way, ticket_id: str) -> str:
        new: TicketFacts = await way.ask(RedeliverDead(ticket_id))
        return f"{ticket_id} is posted again as {new.id}\n"

    return _each("dead redeliver", target, ids, query, one, out, err)


def drop(target: Target, ids: Sequence[str], query: Query | None, out: TextIO, err: TextIO) -> int:
    """Remove dead letters, those named or (with a query) all; the exit code."""

    async def one(way: Way, ticket_id: str) -> str:
        await way.ask(DropDead(ticket_id))
        return f"{ticket_id} is dropped\n"

    return _each("dead drop", target, ids, query, one, out, err)


def _each(
    command: str,
    target: Target,
    ids: Sequence[str],
    query: Query | None,
    one: Callable[[Way, str], Awaitable[str]],
    out: TextIO,
    err: TextIO,
) -> int:
    """One after the other; what is not possible with one is told, and the others go on."""

    async def do() -> int:
        if bool(ids) == (query is not None):
            raise Misused("name the ids of dead letters, or all of them with --all")
        wanted = None if query is None else query.checked()
        must_exist(target)
        code = 0
        async with opened(target) as way:
            for ticket_id in ids if wanted is None else await _dead(way, wanted):
                try:
                    await say(out, await one(way, ticket_id))
                except Refused as error:
                    complain(command, error, err)
                    code = FAILED
        return code

    return run_command(command, do, err)


async def _dead(way: Way, query: Query) -> list[str]:
    """The ids of all dead letters there are now: those that die meanwhile are not among them."""
    found: list[str] = []
    after, more = 0, True
    while more:
        page: TicketPage = await way.ask(FindTickets((_DEAD,), query.path, after, _PAGE))
        found += [ticket.id for ticket in page.tickets]
        after, more = (page.tickets[-1].seq, page.more) if page.tickets else (after, False)
    return found
