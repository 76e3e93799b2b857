"""The rounds: who gets which posted message now. Everything here is a plain call, but for the loads.

For each recipient that is here, or has something in hand, there is a `Line`, which decides; this file does
what it answers. A delivery is written before it is made, and its end when it has ended: in one group with
the next delivery to the same recipient, so that a commit serves both.
"""

from __future__ import annotations

import math
import traceback
from typing import TYPE_CHECKING, Any, Final

import attrs
import trio

from actors.core import orders as order
from actors.delivery.dispatch import WINDOW, Give, Line, Load
from actors.delivery.endings import note_of, reply_of
from actors.delivery.errors import NotTheOwner, StoreError
from actors.delivery.handed import Handed, cause_of
from actors.delivery.operations import Moved, Prune, Result, Save
from actors.delivery.store import Engine
from actors.delivery.ticket import ENDED, Entry, Failure, Move, Standing, TicketState, move
from actors.errors import NotSerializable
from actors.events import LateReply
from actors.exits import Exit
from actors.supervision.backoff import delay

if TYPE_CHECKING:
    from actors.core.alarms import Alarm
    from actors.core.cell import Cell
    from actors.delivery.office import Office

__all__ = ["Rounds"]

_GOING: Final = order.LEAVES & ~order.INTERRUPT
_SOON: Final = 0.05
"""Seconds before a recipient that would not have a message is offered it again."""
_DUES: Final = 500
_TRACEBACK: Final = 8_000
"""Characters of a traceback that are kept: the end of it, where the error is."""


@attrs.define(eq=False)
class _Round:
    """One recipient."""

    path: str
    line: Line
    cell: Cell | None = None
    token: int | None = None
    alarm: Alarm | None = None

    @property
    def is_ready(self) -> bool:
        """Whether it takes a message now. One that its breaker holds back takes none but a probe."""
        cell = self.cell
        if cell is None or not cell.ready or cell.ended or cell.orders & _GOING:
            return False
        return not cell.barred or cell.permit is None


class Rounds:
    """All deliveries of one system."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._kernel = office.kernel
        self._rounds: dict[str, _Round] = {}
        self._elsewhere: set[str] = set()
        """Recipients for which the store has something, and that are not here."""
        self._hands: dict[str, Handed] = {}
        self._giving: dict[str, bool] = {}
        """Deliveries that are being written; False: not wanted any more."""
        self._due: Alarm | None = None
        self._tidying: Alarm | None = None
        self._engine: Engine | None = None
        self._nursery: trio.Nursery | None = None

    async def start(self, engine: Engine, nursery: trio.Nursery) -> None:
        """The store is open: look at what is in it. A checkpoint."""
        self._engine = engine
        self._nursery = nursery
        self._elsewhere.update(path for path in await engine.waiting() if path not in self._rounds)
        self._kernel.named_ready = self.named_ready
        for path in tuple(self._elsewhere):
            self._find(path)
        for path in tuple(self._rounds):
            self.look(path)
        self._arm(await engine.next_due())
        if await engine.last_change():
            nursery.start_soon(self._tidy)

    def stop(self) -> None:
        """The courier has ended. What is in hand goes on, and what becomes of it will be written."""
        self._engine = self._nursery = None
        self._kernel.named_ready = None
        for one in self._rounds.values():
            one.line.loading = False

    def token_of(self, path: str) -> int | None:
        """With what this node proves that a name is its own."""
        one = self._rounds.get(path)
        return None if one is None else one.token

    # --- who is there ---

    def named_ready(self, cell: Cell) -> None:
        """An actor with a name is ready."""
        path = cell.path
        one = self._rounds.get(path)
        if one is None and path in self._elsewhere:
            one = self._open(path)
        if one is not None:
            self._meet(one, cell)
            self.look(path)

    def _open(self, path: str) -> _Round:
        complete = path not in self._elsewhere
        self._elsewhere.discard(path)
        one = self._rounds[path] = _Round(path, Line(complete=complete))
        return one

    def _meet(self, one: _Round, cell: Cell) -> None:
        if one.cell is not cell:
            if one.cell is not None:
                self._kernel.unfollow(one.cell, self)
            one.cell = cell
            one.line.policy = cell.policy.delivery
            self._kernel.follow(cell, self)

    def _find(self, path: str) -> _Round | None:
        """The round of a recipient that is here."""
        one = self._rounds.get(path)
        if one is not None and one.cell is not None:
            return one
        ref = self._kernel.system.find(path)
        if ref is None:
            return one
        if one is None:
            one = self._open(path)
        self._meet(one, ref.cell)
        return one

    def became_ready(self, cell: Cell) -> None:
        """See `Follower`: `named_ready` hears it too."""

    def went(self, cell: Cell, exit: Exit) -> None:
        """See `Follower`: what waits for it stays in the store."""
        one = self._rounds.get(cell.path)
        if one is not None and one.cell is cell:
            one.cell = None
            self._forget(one)

    def _forget(self, one: _Round) -> None:
        """Nobody is there: nothing of it need be known here, once nothing of it is being written."""
        if one.alarm is not None:
            one.alarm.cancel()
        if one.line.in_hand:
            return
        del self._rounds[one.path]
        if one.line.waiting or not one.line.complete:
            self._elsewhere.add(one.path)

    # --- what is to be delivered ---

    def appended(self, entry: Entry) -> None:
        """A message was posted, and is in the store."""
        if entry.state is not TicketState.PENDING:  # its key was used before
            return
        one = self._find(entry.path)
        if one is None:
            self._elsewhere.add(entry.path)
            self._tidy_later()
        else:
            one.line.arrived(entry)
            self.look(entry.path)
        self._arm(entry.due)

    def more(self, path: str) -> None:
        """The store has something new for a recipient."""
        one = self._find(path)
        if one is None:
            self._elsewhere.add(path)
        else:
            one.line.more()
            self.look(path)

    def look(self, path: str) -> None:
        """Do for a recipient what can be done now."""
        one = self._rounds.get(path)
        if one is None or self._nursery is None:
            return
        while True:
            now = self._kernel.now()
            step = one.line.decide(now, one.is_ready)
            if isinstance(step, Load):
                self._nursery.start_soon(self._load, one)
            elif isinstance(step, Give):
                self._give(one, step.entry, now)
            else:
                break
        if one.alarm is not None:
            one.alarm.cancel()
        one.alarm = None
        if step.until < math.inf:
            one.alarm = self._kernel.alarms.at(step.until, lambda: self.look(path))
        elif one.cell is None:
            self._forget(one)

    async def _load(self, one: _Round) -> None:
        assert self._engine is not None
        entries: list[Entry] = []
        try:
            entries = await self._engine.take(one.path, WINDOW, token=one.token)
        except NotTheOwner:
            one.line.loaded((), complete=True)
            return
        except StoreError as error:
            self._office.trouble(error)
            one.line.loading = False
            soon = self._kernel.now() + 1.0
            one.alarm = one.alarm or self._kernel.alarms.at(soon, lambda: self.look(one.path))
            return
        one.line.loaded(entries, complete=len(entries) < WINDOW)
        self.look(one.path)

    # --- one delivery ---

    def _give(self, one: _Round, entry: Entry, now: float) -> None:
        one.line.gave(entry)
        self._giving[entry.id] = True
        attempt = entry.attempts + 1
        said = Moved(entry.id, Move.DELIVER, self._office.wall(), attempt, token=one.token)
        self._office.move(entry, said, lambda result: self._given(one, entry, result))

    def _given(self, one: _Round, entry: Entry, result: Result | StoreError) -> None:
        """The delivery is written: make it."""
        is_wanted = self._giving.pop(entry.id, False)
        if not isinstance(result, Standing):  # it was cancelled, has timed out, is another node's by now
            one.line.ended(entry.id, self._kernel.now())
            self.look(one.path)
            return
        delivered = entry.at(result)
        if not is_wanted:
            one.line.ended(entry.id, self._kernel.now())
            self.look(one.path)
            return
        if one.cell is None or not one.is_ready:
            self._return(one, delivered)
            return
        try:
            message: Any = self._message(delivered)
        except Exception as error:
            self._fail(one, delivered, error, None)
            return
        handed = self._hands[entry.id] = Handed(one.cell, self, delivered, message, one.token)
        one.cell.hand(handed, message, self._sender(entry))

    def _message(self, entry: Entry) -> Any:
        coder = self._office.coder
        if entry.answers is None:
            return coder.back(entry.payload)
        note = coder.note_back(entry.payload)
        return reply_of(note, None if note.value is None else coder.value_back(note.value))

    def _sender(self, entry: Entry) -> Cell | None:
        if entry.sender is None or entry.node != self._kernel.name:
            return None
        ref = self._kernel.system.find(entry.sender)
        return None if ref is None else ref.cell

    def withdraw(self, entry: Entry) -> None:
        """The ticket was cancelled, or timed out before it was delivered."""
        one = self._rounds.get(entry.path)
        if one is None:
            return
        one.line.withdrawn(entry.id)
        if entry.id in self._giving:
            self._giving[entry.id] = False
        handed = self._hands.get(entry.id)
        if handed is not None:
            item = handed.cell.item
            handed.withdraw(item is not None and item[0] is handed.message)
        self.look(entry.path)

    # --- how it ended; see `Courier` in `handed` ---

    def handled(self, handed: Handed, value: Any) -> None:
        """See `handed.Courier`."""
        one = self._let_go(handed)
        entry = handed.entry
        if handed.cancelled:
            if handed.saved is not None:
                self._office.pump.put(Save(handed.saved, handed.token), _ignored)
            self._kernel.emit(LateReply, handed.cell.ref, handed.message)
        else:
            self._answer(handed, entry, value)
        self.look(one.path)

    def _answer(self, handed: Handed, entry: Entry, value: Any) -> None:
        try:
            answer = self._office.coder.value_out(value) if entry.reply else None
        except NotSerializable as error:
            self._refuse(handed, error)
            return
        at = self._office.wall()
        said = Moved(
            entry.id, Move.ANSWER, at, entry.attempts, answer=answer, saved=handed.saved, token=handed.token
        )
        self._settle(attrs.evolve(entry, answer=answer), said, [value if entry.reply else None])

    def refused(self, handed: Handed, error: Exception) -> None:
        """See `handed.Courier`."""
        one = self._let_go(handed)
        if not handed.cancelled:
            self._refuse(handed, error)
        self.look(one.path)

    def _refuse(self, handed: Handed, error: Exception) -> None:
        entry = handed.entry
        failure = self._failure(entry, error)
        said = Moved(
            entry.id,
            Move.REFUSE,
            failure.at,
            entry.attempts,
            failure=failure,
            saved=handed.saved,
            token=handed.token,
        )
        self._settle(entry, said)

    def failed(self, handed: Handed, error: BaseException) -> None:
        """See `handed.Courier`."""
        one = self._let_go(handed, ended=handed.cancelled)
        if not handed.cancelled:
            self._fail(one, handed.entry, error, handed)
        self.look(one.path)

    def _fail(self, one: _Round, entry: Entry, error: BaseException, handed: Handed | None) -> None:
        now = self._kernel.now()
        failure = self._failure(entry, cause_of(error))
        standing = move(entry.id, entry.standing, Move.FAIL)
        if standing.state is TicketState.PENDING:
            wait = delay(one.line.policy.backoff, entry.attempts - 1, self._kernel.random.random())
            again = attrs.evolve(entry.at(standing), failures=(*entry.failures, failure))
            one.line.came_back(again, now, now + wait)
        else:
            one.line.ended(entry.id, now)
        said = Moved(entry.id, Move.FAIL, failure.at, entry.attempts, failure=failure, token=one.token)
        self._settle(entry, said)
        if handed is None:
            self.look(one.path)

    def _failure(self, entry: Entry, error: BaseException) -> Failure:
        kind = f"{type(error).__module__}.{type(error).__qualname__}"
        text = "".join(traceback.format_exception(error))[-_TRACEBACK:]
        return Failure(self._office.wall(), entry.attempts, kind, str(error) or type(error).__name__, text)

    def came_back(self, handed: Handed) -> None:
        """See `handed.Courier`."""
        one = self._let_go(handed, ended=handed.cancelled)
        if not handed.cancelled:
            self._return(one, handed.entry)
        self.look(one.path)

    def _return(self, one: _Round, delivered: Entry) -> None:
        now = self._kernel.now()
        said = Moved(delivered.id, Move.RETURN, self._office.wall(), delivered.attempts, token=one.token)
        before = delivered.at(move(delivered.id, delivered.standing, Move.RETURN))
        one.line.came_back(before, now, now + _SOON)
        self._office.move(delivered, said)
        self.look(one.path)

    def put_off(self, handed: Handed) -> None:
        """See `handed.Courier`."""
        one = self._rounds.get(handed.entry.path)
        if one is not None:
            one.line.ended(handed.entry.id, self._kernel.now())
            self.look(one.path)

    def _let_go(self, handed: Handed, ended: bool = True) -> _Round:
        entry = handed.entry
        self._hands.pop(entry.id, None)
        one = self._rounds.get(entry.path)
        if one is None:
            one = self._open(entry.path)
            one.token = handed.token
        if ended or handed.cancelled:
            one.line.ended(entry.id, self._kernel.now())
        return one

    def _settle(self, entry: Entry, said: Moved, value: list[Any] | None = None) -> None:
        """Write how a delivery ended, and let the sender know if that is the end of the ticket."""
        ended = self._ended(entry, said)
        told = None
        if ended is not None:
            self._tidy_later()
            follow = self._follow(ended)
            if follow is not None:
                said = attrs.evolve(said, follow=follow)
            else:
                told = self._adhoc_sender(ended)

        def then(result: Result | StoreError) -> None:
            if not isinstance(result, Standing):
                return
            if said.follow is not None:
                self.more(said.follow.path)
            elif told is not None and ended is not None:
                told.tell(reply_of(note_of(ended), None if value is None else value[0]))

        self._office.move(entry, said, then, value)

    def _ended(self, entry: Entry, said: Moved) -> Entry | None:
        """What the ticket is after that, if it has ended."""
        standing = move(entry.id, entry.standing, said.move)
        if standing.state not in ENDED:
            return None
        failures = entry.failures if said.failure is None else (*entry.failures, said.failure)
        return attrs.evolve(entry.at(standing), failures=failures, changed=said.at)

    def _adhoc_sender(self, entry: Entry) -> Cell | None:
        """The actor that posted it, if it lives, and can have no post itself."""
        if not entry.reply or entry.answers is not None:
            return None
        sender = self._sender(entry)
        return None if sender is None or self._office.waits_itself(entry, sender) else sender

    def _follow(self, entry: Entry) -> Entry | None:
        """The reply, posted to the actor that has posted the message; None where nobody is to be told so."""
        sender = entry.sender
        if not entry.reply or entry.answers is not None or sender is None or "/~" in sender:
            return None
        cell = self._sender(entry)
        if cell is not None and self._office.waits_itself(entry, cell):
            return None
        now = self._office.wall()
        return Entry(
            self._office.new_id(now),
            sender,
            self._office.coder.note_out(note_of(entry)),
            now,
            priority=entry.priority,
            reply=False,
            sender=entry.path,
            node=self._kernel.name,
            hops=entry.hops + 1,
            answers=entry.id,
        )

    # --- what time does ---

    def _arm(self, due: float | None) -> None:
        if due is None:
            return
        at = self._kernel.now() + max(0.0, due - self._office.wall())
        if self._due is None or not self._due.live or at < self._due.due:
            if self._due is not None:
                self._due.cancel()
            self._due = self._kernel.alarms.at(at, self._ring)

    def _ring(self) -> None:
        if self._nursery is not None:
            self._nursery.start_soon(self._time_out)

    async def _time_out(self) -> None:
        """End the tickets whose time has come."""
        assert self._engine is not None
        while True:
            entries = await self._engine.due(self._office.wall(), _DUES)
            for entry in entries:
                self.expire(entry)
            if not entries:
                break
            await self._office.pump.flushed()
        self._arm(await self._engine.next_due())

    def cancel(self, entry: Entry, canceller: Cell | None) -> None:
        """The ticket is cancelled; whoever posted it hears so, if it was somebody else."""
        self.withdraw(entry)
        said = Moved(entry.id, Move.CANCEL, self._office.wall())
        is_sender = canceller is not None and canceller.path == entry.sender
        self._settle(attrs.evolve(entry, reply=False) if is_sender else entry, said)

    def expire(self, entry: Entry) -> None:
        """The ticket has timed out: withdrawn, if nobody works on it."""
        if not entry.working:
            self.withdraw(entry)
        self._settle(entry, Moved(entry.id, Move.TIME_OUT, self._office.wall()))

    def _tidy_later(self) -> None:
        if self._tidying is not None and self._tidying.live:
            return
        posting = self._office.posting
        seconds = min(posting.keep_ended, posting.keep_unclaimed or math.inf)
        self._tidying = self._kernel.alarms.after(seconds, self._begin_to_tidy)

    def _begin_to_tidy(self) -> None:
        if self._nursery is not None:
            self._nursery.start_soon(self._tidy)

    async def _tidy(self) -> None:
        """Remove what ended long ago; end what nobody has taken."""
        assert self._engine is not None
        posting, wall = self._office.posting, self._office.wall()
        states = ENDED - {TicketState.DEAD}
        while await self._office.pump.write(Prune(wall - posting.keep_ended, states)):
            pass
        if posting.keep_unclaimed is not None:
            await self._expire_unclaimed(wall - posting.keep_unclaimed)
        if await self._engine.find(states=states | {TicketState.PENDING}, limit=1):
            self._tidy_later()

    async def _expire_unclaimed(self, before: float) -> None:
        assert self._engine is not None
        after = 0
        while True:
            entries = await self._engine.find(states={TicketState.PENDING}, after=after, limit=_DUES)
            for entry in entries:
                after = entry.seq
                if entry.posted >= before:
                    return
                if not entry.attempts:
                    self.expire(entry)
            if not entries:
                return
            await self._office.pump.flushed()


def _ignored(result: object) -> None: ...
