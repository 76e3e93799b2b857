"""What another node may ask this one itself: find, tree, interrupt, started, subscribe."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import attrs
import trio

from actors import events as facts
from actors.errors import ActorError, NotSerializable, StartFailed
from actors.events import ActorEvent, Event
from actors.exits import Exit
from actors.remote import items
from actors.remote.troubles import ended_out, trouble_out

if TYPE_CHECKING:
    from actors.remote.association import Association

__all__ = ["KINDS", "Answers"]

KINDS: dict[str, type[Event]] = {
    name: kind for name, kind in vars(facts).items() if inspect.isclass(kind) and issubclass(kind, Event)
}
"""The kinds of events by name."""


class Answers:
    """One association's questions to this node."""

    def __init__(self, association: Association) -> None:
        self._association = association
        self._node = association.node
        self._scopes: dict[int, trio.CancelScope] = {}
        self._relays: dict[int, _Relay] = {}

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
        if call.what in plain:
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
        relay = self._relays[call.id] = _Relay(self._association, call.id, tuple(kinds) or (Event,))
        self._association.kernel.sink.attach(relay)
        return True


class _Relay:
    """Hears what the other node wants to know, and tells it; what there is no room for is counted."""

    def __init__(self, association: Association, number: int, kinds: tuple[type[Event], ...]) -> None:
        self._association = association
        self._number = number
        self._kinds = kinds
        self._lost = 0

    def takes(self, kind: type[Event]) -> bool:
        """See `Subscriber`."""
        return kind in self._kinds or (issubclass(kind, self._kinds) and not kind.by_name_only)

    def put(self, event: Event) -> None:
        """See `Subscriber`."""
        if not self._association.has_room:
            self._lost += 1
            return
        if self._lost:
            lost, self._lost = self._lost, 0
            self.put(facts.EventsLost(event.at, lost))
        node = self._association.node
        with node.exporting(self._association):
            ref = node.ref_out(event.ref) if isinstance(event, ActorEvent) else None
            said = {
                field.name: self._said(getattr(event, field.name))
                for field in attrs.fields(type(event))
                if field.name not in ("at", "ref")
            }
            ago = max(0.0, self._association.kernel.now() - event.at)
            fact = items.Fact(self._number, type(event).__name__, ago, ref, said)
            try:
                self._association.push("data", self._association.written(fact, event))
            except NotSerializable:  # too long
                self._lost += 1

    def close(self) -> None:
        """See `Subscriber`."""

    def _said(self, value: Any) -> list[Any]:
        """What stands in a fact: [how to read it, what it is]."""
        codec = self._association.node.codec
        if isinstance(value, Exit):
            return ["exit", attrs.asdict(ended_out(value, codec))]
        if isinstance(value, BaseException):
            return ["error", attrs.asdict(trouble_out(value))]
        if isinstance(value, facts.DeadLetterReason):
            return ["reason", str(value)]
        try:
            return ["value", codec.value_out(value)]
        except Exception:  # whatever a message has in it
            return ["text", repr(value)[:1000]]
