"""The actor that a connected agent is: the parent of what it spawns, and the inbox of what it is told.

Its code handles nothing: a message waits in `letters` until the client takes it, and who has asked waits for
the client's reply. What the client does by tools runs in the tasks of its requests, with this actor as the
current one: so sender, parent, limits and budgets are its own by construction.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import attrs
import trio

from actors.core.actor import receive
from actors.core.ask import Pending, ReplyPort
from actors.core.mailbox import ASKED
from actors.core.scope import CURRENT
from actors.events import DeadLetterReason
from actors.exits import Exit
from actors.messages import TicketReply
from actors.policy import OneForOne, Policy, Strategy
from actors.spawning.spawner import Spawner
from actors.supervision.supervisor import Supervisor

if TYPE_CHECKING:
    from actors.core.cell import Cell
    from actors.core.ref import Ref
    from actors.mcp.gate import Gate

__all__ = ["AGENTS_POLICY", "AGENT_POLICY", "Agent", "Agents", "Letter"]

AGENTS_POLICY: Final = Policy(restart="temporary", breaker=None)
AGENT_POLICY: Final = Policy(restart="temporary", breaker=None)
"""It ends with its connection, and does not start again without one."""


class Agents(Supervisor):
    """`/agents`: the parent of the agents that connect."""

    strategy: Strategy = OneForOne(max_restarts=100, within=1.0)


@attrs.frozen(eq=False)
class Letter:
    """A message that waits for the client, or for its reply."""

    number: int
    message: object
    sender: Cell | None
    at: float
    asked: Pending[Any] | None = None
    port: ReplyPort | None = None
    """What answers it; None: nobody waits for a reply."""

    @property
    def is_open(self) -> bool:
        """Somebody waits for a reply, still."""
        return self.asked is not None and not self.asked.done


class Agent(Supervisor):
    """A connected agent."""

    strategy: Strategy = OneForOne(
        max_restarts=100, within=1.0
    )  # the end of a child is not that of a session

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.letters: deque[Letter] = deque()
        self.unanswered: dict[int, Letter] = {}
        self.open: dict[str, Pending[Any]] = {}
        """What it has asked without waiting, by the ids that it knows them by."""
        self._adopted: dict[str, Ref] = {}
        self.tickets: dict[str, None] = {}
        """The ids of what it has posted."""
        self._numbers = 0
        self._lot = trio.lowlevel.ParkingLot()
        self._is_over = False
        self._is_full = False

    def on_start(self) -> None:
        """Its spawner is made here, where it is the current actor."""
        self.spawner = Spawner(self, self.gate.limits)

    @contextmanager
    def at_work(self) -> Generator[None]:
        """A block in which the running task acts in its name."""
        token = CURRENT.set(self.ctx.cell)
        try:
            yield
        finally:
            CURRENT.reset(token)

    # --- what it has spawned to live without it ---

    @property
    def adopted(self) -> tuple[str, ...]:
        """The paths of those that live: whoever is there after one of them, is not this agent's."""
        self._adopted = {path: ref for path, ref in self._adopted.items() if not ref.cell.is_gone}
        return tuple(self._adopted)

    def adopt(self, ref: Ref) -> None:
        """One more."""
        self._adopted[ref.path] = ref

    # --- what it is told ---

    @receive
    def posted(self, message: TicketReply) -> None:
        """The reply to what it has posted is a letter like any other."""
        self._keep(message, None, None)

    def on_unhandled(self, message: object) -> None:
        """Everything else, too."""
        item = self.ctx.cell.item
        asked = None if item is None else item[ASKED]
        is_asked = asked is not None and not asked.is_told
        self._keep(message, asked if is_asked else None, self.ctx.reply_later() if is_asked else None)

    def _keep(self, message: object, asked: Pending[Any] | None, port: ReplyPort | None) -> None:
        cell = self.ctx.cell
        sender = None if self.ctx.sender is None else self.ctx.sender.cell
        self._numbers += 1
        self.letters.append(Letter(self._numbers, message, sender, cell.now(), asked, port))
        if len(self.letters) >= self.gate.inbox:  # the mailbox fills, and says so to whoever tells
            self._is_full = True
            cell.suspend(False)
        self._lot.unpark_all()

    async def take(self, wait: float, limit: int) -> list[Letter]:
        """The letters that wait, the oldest first; waits for the first. [] when none came.

        Cancelled, it has taken none.
        """
        with trio.move_on_after(wait):
            while not self.letters and not self._is_over:
                await self._lot.park()
        await trio.lowlevel.checkpoint_if_cancelled()  # of its wake too: what is taken now, is delivered
        taken = [self.letters.popleft() for _ in range(min(limit, len(self.letters)))]
        self.unanswered = {one.number: one for one in (*self.unanswered.values(), *taken) if one.is_open}
        if self._is_full and len(self.letters) < self.gate.inbox:
            self._is_full = False
            self.ctx.cell.resume()
        return taken

    # --- what it has asked ---

    async def replies(self, wait: float) -> list[tuple[str, Pending[Any]]]:
        """The requests that have ended, the oldest first; waits for the first. [] when none has."""
        cell = self.ctx.cell
        with trio.move_on_after(wait):
            while self.open and not any(one.done for one in self.open.values()) and not self._is_over:
                await cell.changed()
        await trio.lowlevel.checkpoint_if_cancelled()  # as in `take`
        done = [(id, one) for id, one in self.open.items() if one.done]
        for id, one in done:
            del self.open[id]
            one.cancel()  # done: this only takes it off the list
        return done

    def on_stop(self, exit: Exit) -> None:
        """What nobody has taken is told of."""
        self._is_over = True
        cell = self.ctx.cell
        for letter in self.letters:
            if letter.port is None:
                cell.kernel.dead_letter(cell, letter.message, letter.sender, DeadLetterReason.STOPPED)
        self.letters.clear()
        self._lot.unpark_all()
