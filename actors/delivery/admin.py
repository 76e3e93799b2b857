"""What the courier answers to those who look after posted messages from outside.

Each request has a task of its own, so that one that waits holds up nobody.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Protocol

import trio

from actors.checks import check_count, check_seconds
from actors.core.scope import CURRENT
from actors.delivery import service
from actors.delivery.coder import Coder
from actors.delivery.door import recipient_path
from actors.delivery.errors import IllegalMove, UnknownTicket
from actors.delivery.operations import Change
from actors.delivery.posted import Posted
from actors.delivery.ticket import Entry, TicketState
from actors.errors import ActorError, Refused

if TYPE_CHECKING:
    from actors.core.ask import ReplyPort
    from actors.delivery.office import Office

__all__ = ["Admin", "Files", "facts_of", "find_page", "states_of", "story_of"]

_LONGEST: Final = 30.0
"""Seconds that one request waits: who has gone meanwhile is waited for no longer than that."""
_PAGE: Final = 500
_CHARACTERS: Final = 200_000
"""Of messages and replies on one page, so that it passes any link."""
_HISTORY: Final = 10_000
"""How many of the newest changes are looked through for those of one ticket."""


class Files(Protocol):
    """What can be looked at: an engine, or a file from outside."""

    async def get(self, ticket_id: str, /) -> Entry | None:
        """See `Engine`."""
        ...

    async def find(
        self,
        *,
        states: Collection[TicketState] = ...,
        path: str | None = ...,
        after: int = ...,
        limit: int = ...,
    ) -> list[Entry]:
        """See `Engine`."""
        ...

    async def changes(self, after: int, limit: int, /) -> list[Change]:
        """See `Engine`."""
        ...

    async def last_change(self) -> int:
        """See `Engine`."""
        ...


class Admin:
    """Answers requests, for one office."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._posted = Posted(office)

    async def serve(self, request: Any, port: ReplyPort) -> None:
        """Answer one request. What cannot be done is refused in words; the rest of the system goes on."""
        CURRENT.set(None)  # what it posts is posted by somebody outside, not by the courier
        try:
            reply = await self._reply(request)
        except (ActorError, TypeError, ValueError) as error:
            port.fail(Refused(str(error)))
        except Exception as error:  # whatever it is, it concerns this request alone
            port.fail(error)
        else:
            port.answer(reply)

    async def _reply(self, request: Any) -> Any:
        match request:
            case service.PostJson():
                return await self._post(request)
            case service.AwaitTicket():
                return await self._await(request)
            case service.TellStory():
                return await story_of(await self._office.present(), request.id, self._office.coder)
            case service.FindTickets():
                return await find_page(await self._office.present(), request, self._office.coder)
            case service.RedeliverDead():
                ticket = await self._posted.redeliver(request.id)
                return facts_of(ticket.entry, self._office.coder)
            case service.DropDead():
                return await self._drop(request.id)
            case service.ForgetState():
                return await self._posted.forget(request.path)
            case _:
                return await self._changes(request)

    async def _post(self, request: service.PostJson) -> service.TicketFacts:
        ticket = await self._office.post(
            request.path,
            self._office.coder.given(request.payload),
            request.key,
            request.reply,
            request.timeout,
            request.priority,
            request.max_attempts,
        )
        return facts_of(ticket.entry, self._office.coder)

    async def _await(self, request: service.AwaitTicket) -> service.TicketFacts:
        check_seconds("seconds", request.seconds)
        ticket = await self._office.ticket(request.id)
        with suppress(ActorError):  # how it ended stands in the ticket
            await ticket.wait_reply(min(request.seconds, _LONGEST))
        return facts_of(await _kept(await self._office.present(), request.id), self._office.coder)

    async def _drop(self, ticket_id: str) -> None:
        entry = await _kept(await self._office.present(), ticket_id)
        if entry.state is not TicketState.DEAD:  # others are found by their keys, and go by themselves
            raise IllegalMove(ticket_id, entry.state.value, "dropping it as a dead letter")
        await self._posted.drop(ticket_id)

    async def _changes(self, request: service.NextChanges) -> service.ChangePage:
        check_seconds("seconds", request.seconds)
        engine = await self._office.present()
        after = await engine.last_change() if request.after is None else request.after
        wanted = None if request.path is None else recipient_path(request.path)
        states = states_of(request.states)
        missed = 0
        with trio.move_on_after(min(request.seconds, _LONGEST)):
            while True:
                page = await engine.changes(after, _PAGE)
                if page:
                    missed += page[0].number - after - 1 if after else 0
                    after = page[-1].number
                    page = [one for one in page if wanted in (None, one.path)]
                    told = [one for one in page if not states or one.state in states]
                    if told or missed:
                        return service.ChangePage(tuple(map(change_facts, told)), after, missed)
                else:
                    await engine.wait_change(after)
        return service.ChangePage((), after)


async def _kept(files: Files, ticket_id: str) -> Entry:
    entry = await files.get(ticket_id)
    if entry is None:
        raise UnknownTicket(ticket_id)
    return entry


def states_of(names: Collection[str]) -> frozenset[TicketState]:
    """The states with these names; raises ValueError naming all."""
    known = {state.value: state for state in TicketState}
    for name in names:
        if name not in known:
            raise ValueError(f"unknown state {name!r}: choose one of {', '.join(known)}")
    return frozenset(known[name] for name in names)


async def find_page(files: Files, request: service.FindTickets, coder: Coder) -> service.TicketPage:
    """One page of tickets. A checkpoint."""
    check_count("limit", request.limit)
    limit = min(request.limit, _PAGE)
    found = await files.find(
        states=states_of(request.states),
        path=None if request.path is None else recipient_path(request.path),
        after=request.after,
        limit=limit + 1,
    )
    tickets: list[service.TicketFacts] = []
    left = _CHARACTERS
    for entry in found[:limit]:
        facts = facts_of(entry, coder)
        left -= len(facts.payload or "") + len(facts.answer or "") + sum(map(_length, facts.failures)) + 500
        if left < 0 and tickets:
            break
        tickets.append(facts)
    return service.TicketPage(tuple(tickets), more=len(tickets) < len(found))


def _length(failure: service.FailureFacts) -> int:
    return len(failure.text) + len(failure.traceback) + 200


async def story_of(files: Files, ticket_id: str, coder: Coder) -> service.TicketStory:
    """All about one ticket. A checkpoint. Raises `UnknownTicket`."""
    entry = await _kept(files, ticket_id)
    after = max(0, await files.last_change() - _HISTORY)
    changes: list[service.ChangeFacts] = []
    while page := await files.changes(after, _PAGE):
        after = page[-1].number
        changes += [change_facts(one) for one in page if one.id == ticket_id]
    return service.TicketStory(facts_of(entry, coder), tuple(changes))


def change_facts(change: Change) -> service.ChangeFacts:
    """A change as it travels."""
    return service.ChangeFacts(
        change.number, change.id, change.path, change.state.value, change.attempts, change.at
    )


def facts_of(entry: Entry, coder: Coder) -> service.TicketFacts:
    """A ticket as it travels."""
    return service.TicketFacts(
        id=entry.id,
        path=entry.path,
        state=entry.state.value,
        attempts=entry.attempts,
        max_attempts=entry.max_attempts,
        posted=entry.posted,
        changed=entry.changed or entry.posted,
        due=entry.due,
        priority=entry.priority,
        key=entry.key,
        reply=entry.reply,
        sender=entry.sender,
        node=entry.node,
        hops=entry.hops,
        answers=entry.answers,
        seq=entry.seq,
        payload=None if entry.payload is None else coder.told(entry.payload),
        answer=coder.told(entry.answer) if entry.state is TicketState.RESPONDED and entry.reply else None,
        failures=tuple(
            service.FailureFacts(one.at, one.attempt, one.kind, one.text, one.traceback)
            for one in entry.failures
        ),
    )
