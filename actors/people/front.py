"""The desk as front ends in other processes ask for it: see `service`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import trio

from actors.errors import ActorError, Refused
from actors.events import (
    PersonAnswered,
    PersonAsked,
    PersonEscalated,
    PersonEvent,
    PersonExtended,
    PersonTimedOut,
    PersonWarned,
    PersonWithdrawn,
)
from actors.people.feed import Feed, Numbered
from actors.people.service import (
    ChangeFacts,
    ChangePage,
    ExtendRequest,
    GiveAnswer,
    NextRequests,
    PendingPage,
    TellPending,
)
from actors.people.travel import request_out, text_of
from actors.people.typed import read_json, typed_answer

if TYPE_CHECKING:
    from actors.core.ask import ReplyPort
    from actors.core.kernel import Kernel
    from actors.people.desk import Desk

__all__ = ["Front"]

_CHARACTERS: Final = 100_000
"""On one page, so that it passes any link."""
_LONGEST: Final = 30.0
_NAMES: Final[dict[type[PersonEvent], str]] = {
    PersonAsked: "asked",
    PersonWarned: "warned",
    PersonExtended: "extended",
    PersonEscalated: "escalated",
    PersonAnswered: "answered",
    PersonTimedOut: "expired",
    PersonWithdrawn: "withdrawn",
}


class Front:
    """Answers requests, each in a task of `nursery`."""

    def __init__(self, desk: Desk, kernel: Kernel, nursery: trio.Nursery) -> None:
        self._desk = desk
        self._kernel = kernel
        self._nursery = nursery
        self._feed: Feed | None = None

    async def serve(self, request: Any, port: ReplyPort) -> None:
        """Answer one request. What cannot be done is refused in words."""
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
            case GiveAnswer():
                return await self._answer(request)
            case NextRequests():
                return await self._next(request)
            case ExtendRequest():
                await trio.lowlevel.checkpoint()
                return self._desk.extend(request.id, request.seconds)
            case TellPending():
                await trio.lowlevel.checkpoint()
                return self._pending(request)
            case _:
                raise TypeError(f"{request!r:.200} is nothing that a desk is asked")

    # --- answers ---

    async def _answer(self, request: GiveAnswer) -> str:
        value = self._value(request)
        await self._desk.decide(request.id, value, request.by)
        return text_of(value)

    def _value(self, request: GiveAnswer) -> Any:
        if not request.typed:
            return read_json(request.id, request.value)
        asked = next((one for one in self._desk.pending() if one.id == request.id), None)
        # one that is over takes no answer, and the desk says why
        return request.value if asked is None else typed_answer(asked, request.value)

    # --- looking ---

    def _pending(self, request: TellPending) -> PendingPage:
        pending = self._desk.pending(request.to)[max(0, request.skip) :]
        records: list[str] = []
        left, now = _CHARACTERS, self._kernel.now()
        for one in pending:
            record = request_out(one, now)
            left -= len(record)
            if left < 0 and records:
                break
            records.append(record)
        return PendingPage(tuple(records), len(pending) - len(records))

    async def _next(self, request: NextRequests) -> ChangePage:
        if self._feed is None:  # in milliseconds: greater than all numbers before
            self._feed = Feed(int(self._kernel.wall() * 1000))
            self._nursery.start_soon(self._feed.run, self._desk)
        feed = self._feed
        await feed.began()
        after = feed.newest if request.after is None else request.after
        if feed.has_missed(after):
            return ChangePage((), feed.newest, is_missing=True)
        with trio.move_on_after(min(max(0.0, request.seconds), _LONGEST)):
            while not feed.after(after, request.to):
                await feed.wait()
        if feed.has_missed(after):
            return ChangePage((), feed.newest, is_missing=True)
        return self._changes(feed.after(after, request.to), feed.newest)

    def _changes(self, changes: list[Numbered], newest: int) -> ChangePage:
        facts: list[ChangeFacts] = []
        left = _CHARACTERS
        for change in changes:
            one = self._facts(change)
            left -= len(one.record) + len(one.value or "")
            if left < 0 and facts:
                return ChangePage(tuple(facts), facts[-1].number)
            facts.append(one)
        return ChangePage(tuple(facts), newest)

    def _facts(self, change: Numbered) -> ChangeFacts:
        event, now = change.event, self._kernel.now()
        answer = event.answer if isinstance(event, PersonAnswered) else None
        return ChangeFacts(
            change.number,
            _NAMES[type(event)],
            now - event.at,
            request_out(event.request, now),
            None if answer is None else answer.by,
            None if answer is None else text_of(answer.value),
            event.before if isinstance(event, PersonEscalated) else None,
        )
