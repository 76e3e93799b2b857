"""What another node may ask this one itself: find, tree, interrupt, started, subscribe."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

import trio

from actors.errors import ActorError, StartFailed
from actors.events import Event
from actors.remote import items
from actors.remote.facts import KINDS, Relay

if TYPE_CHECKING:
    from actors.remote.association import Association

__all__ = ["OPEN_CALLS", "Answers"]

OPEN_CALLS: Final = 10_000
"""Calls that wait and subscriptions that stand, of one node; each costs this one a task or work an event."""


class Answers:
    """One association's questions to this node."""

    def __init__(self, association: Association) -> None:
        self._association = association
        self._node = association.node
        self._scopes: dict[int, trio.CancelScope] = {}
        self._relays: dict[int, Relay] = {}

    def take(self, call: items.Call) -> None:
        """Answer a call, at once or from a task of the links' own."""
        waits: dict[str, Callable[[items.Call], Awaitable[Any]]] = {
            "interrupt": self._interrupt,
            "started": self._started,
        }
        plain: dict[str, Callable[[items.Call], Any]] = {
            "find": self._find,
            "tree": lambda _: self._node.system.tree().as_dict(),
            "subscribe": self._subscribe,
        }
        if len(self._scopes) + len(self._relays) >= OPEN_CALLS:
            self._refuse(call, "overloaded", f"{OPEN_CALLS} calls are open here: end some of them")
        elif call.what in plain:
            try:
                self._answer(call, plain[call.what](call))
            except (ActorError, ValueError, TypeError) as error:
                self._refuse(call, "bad-call", str(error))
        elif call.what in waits and call.to is not None:
            self._scopes[call.id] = trio.CancelScope()
            self._node.run(self._wait_for, call, waits[call.what])
        else:
            known = ", ".join((*plain, *waits))
            self._refuse(call, "unknown-call", f"there is no call {call.what!r:.40}: use one of {known}")

    def is_open(self, number: int) -> bool:
        """True while a call of this number waits, or a subscription of this number stands."""
        return number in self._scopes or number in self._relays

    def _answer(self, call: items.Call, value: Any) -> None:
        reply = items.Reply(call.id, value)
        self._association.push("control", self._association.written(reply, value), call.id)

    def _refuse(self, call: items.Call, kind: str, text: str) -> None:
        self._association.control(items.Fail(call.id, items.Trouble(kind, "LinkRefused", text)))

    async def _wait_for(self, call: items.Call, answer: Callable[[items.Call], Awaitable[Any]]) -> None:
        try:
            with self._scopes[call.id]:
                self._answer(call, await answer(call))
        except ActorError as error:  # of a third node, say, that does not know the call
            self._refuse(call, "bad-call", str(error))
        finally:
            self._scopes.pop(call.id, None)

    def cancel(self, number: int) -> None:
        """The other end does not wait any more, or does not listen."""
        scope = self._scopes.get(number)
        if scope is not None:
            scope.cancel()
        relay = self._relays.pop(number, None)
        if relay is not None:
            self._association.kernel.sink.detach(relay)

    def close(self) -> None:
        """The association is over."""
        for number in (*self._scopes, *self._relays):
            self.cancel(number)

    # --- the answers ---

    def _find(self, call: items.Call) -> Any:
        path = call.to.path if call.to is not None else ""
        ref = self._node.system.find(path)
        return None if ref is None else self._node.ref_out(ref)

    async def _interrupt(self, call: items.Call) -> Any:
        assert call.to is not None
        cell = self._node.resolve(call.to, self._association)
        if cell.is_gone or self._node.forbids(cell) is not None:
            return False
        return await cell.interrupt()

    async def _started(self, call: items.Call) -> Any:
        assert call.to is not None
        cell = self._node.resolve(call.to, self._association)
        if cell.is_gone:
            return False
        try:
            await cell.wait_started()
        except StartFailed:
            return "failed"
        except ActorError:
            return False
        return True

    def _subscribe(self, call: items.Call) -> Any:
        kinds: list[type[Event]] = []
        for name in call.args:
            if name not in KINDS:
                raise ValueError(f"{name!r:.40} is no kind of event: use a name of actors.events")
            kinds.append(KINDS[name])
        relay = self._relays[call.id] = Relay(self._association, call.id, tuple(kinds) or (Event,))
        self._association.kernel.sink.attach(relay)
        return True
