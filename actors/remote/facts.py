"""Events over a link: what one node has noticed, told to another one."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import attrs

from actors import events
from actors.errors import NotSerializable
from actors.events import ActorEvent, DeadLetterReason, Event, EventsLost
from actors.exits import Exit
from actors.remote import items
from actors.remote.codec import Raw
from actors.remote.session import Lane
from actors.remote.strict import BadValue
from actors.remote.troubles import ended_in, ended_out, told_error, trouble_out

if TYPE_CHECKING:
    from actors.remote.association import Association

__all__ = ["KINDS", "OF_CHILDREN", "Relay", "event_in"]

KINDS: Final[dict[str, type[Event]]] = {
    name: kind for name, kind in vars(events).items() if inspect.isclass(kind) and issubclass(kind, Event)
}
"""The kinds of events by name."""
OF_CHILDREN: Final[tuple[type[Event], ...]] = (
    events.CheckFailed,
    events.DeadlineExtended,
    events.DeadlinePassed,
    events.DeadlineWarning,
    events.HelpNeeded,
    events.Nudged,
    events.PatternMatched,
    events.Recovered,
    events.SilenceNoticed,
    events.SilenceWarning,
    events.StallConfirmed,
    events.StallSuspected,
    events.StopFailed,
    events.Unresponsive,
)
"""What is noticed of a child where it runs, and matters where its supervisor is.

Its life (started, failed, restarted, stopped) is told there by its own cell.
"""


class Relay:
    """Hears what the other node wants to know, and tells it; what there is no room for is counted."""

    def __init__(
        self,
        association: Association,
        number: int,
        kinds: tuple[type[Event], ...],
        concerns: Callable[[Event], bool] | None = None,
    ) -> None:
        self._association = association
        self._number = number
        self._kinds = kinds
        self._concerns = concerns
        self._lost = 0

    def takes(self, kind: type[Event]) -> bool:
        """See `Subscriber`."""
        return kind in self._kinds or (issubclass(kind, self._kinds) and not kind.by_name_only)

    def put(self, event: Event) -> None:
        """See `Subscriber`."""
        if self._concerns is not None and not self._concerns(event):
            return
        if not self._association.has_room:
            self._lost += 1
            return
        if self._lost:
            lost, self._lost = self._lost, 0
            self.put(EventsLost(event.at, lost))
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
                # what is noticed of a child must not come behind its end, which is control
                lane: Lane = "control" if self._number == items.OWN else "data"
                self._association.push(lane, self._association.written(fact, event))
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
        if isinstance(value, DeadLetterReason):
            return ["reason", str(value)]
        try:
            return ["value", codec.value_out(value)]
        except Exception:  # whatever a message has in it
            return ["text", repr(value)[:1000]]


def event_in(fact: items.Fact, link: Association) -> Event | None:
    """The event that the other node tells of, on the clock of this one; None for a kind unknown here."""
    kind = KINDS.get(fact.event)
    if kind is None:
        return None
    at = link.kernel.now() - fact.ago
    try:
        given = {name: _read(how, what, link) for name, (how, what) in fact.facts.items()}
        if issubclass(kind, ActorEvent):
            given["ref"] = link.node.codec.ref_in(fact.ref)
        known = {field.name for field in attrs.fields(kind)}
        return kind(at=at, **{name: value for name, value in given.items() if name in known})
    except (BadValue, TypeError, ValueError):
        return None


def _read(how: str, what: Any, link: Association) -> Any:
    if how == "exit":
        return _exit_of(what, link)
    if how == "error":
        return told_error(_trouble(what))
    if how == "reason":
        return DeadLetterReason(what)
    try:
        return link.node.codec.value_in(what) if how == "value" else what
    except BadValue:
        return Raw(what)  # a message whose class is not known here


def _exit_of(what: Any, link: Association) -> Exit:
    error = what.get("error")
    ended = items.Ended(
        what["kind"], what["reason"], what.get("v"), None if error is None else _trouble(error)
    )
    return ended_in(ended, link.node.codec)


def _trouble(what: Any) -> items.Trouble:
    return items.Trouble(**{key: value for key, value in what.items() if key != "exit"})
