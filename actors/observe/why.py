"""Why an actor ended, or began again: the chain of causes, told from facts. Pure.

Each step goes from a fact to an earlier one that it came from: a restart to the failure before it; the
failure to the error's own causes, to the limit that passed, or to the node that went; an order to end to
whoever gave it, and to the end of that one; a supervisor that gives up to its child. Where a fact is
kept no more the chain stops: nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

import attrs

from actors.messages import message
from actors.observe.fact import Fact
from actors.observe.words import ended_text, number_of, seconds_text

__all__ = ["STEPS", "Book", "Step", "Why", "explain"]

STEPS: Final = 30
"""The longest chain."""

Book = Callable[[str], Sequence[Fact]]
"""The facts of a path, the oldest first; those of a node under "@" and its name."""
Exit = Mapping[str, Any]


@message(tag="actors.WhyStep")
class Step:
    """One link of a chain of causes: `text` on one line, about the actor at `path`, or about a node.

    `at` is in seconds since 1970, `kind` the name of the event that says so, `number` that of its fact.
    """

    at: float
    path: str | None
    kind: str
    text: str
    number: int


@message(tag="actors.Why")
class Why:
    """Why an actor is as it is: `steps`, the newest first, each of which came from the next one.

    `state` is "starting", "running", "parked", "waiting" (to start again), "ending", "gone", or "unknown"
    where it is not there and its end is kept no more. `text` is the first step on one line, `str` has all.
    """

    path: str
    state: str
    text: str
    steps: tuple[Step, ...]

    def __str__(self) -> str:
        return "\n".join([self.text, *(f"  <- {step.text}" for step in self.steps[1:])])

    def as_dict(self) -> dict[str, Any]:
        """Plain dictionaries and lists, ready for JSON."""
        steps = [attrs.asdict(step) for step in self.steps]
        return {"path": self.path, "state": self.state, "text": self.text, "steps": steps}


_UP: Final = frozenset({"Started", "Restarted"})
_FELL: Final = frozenset({"Failed", "StartAttemptFailed"})
_DOWN: Final = _FELL | {"Parked", "Restarting", "Stopped", "EndOrdered", "BreakerOpened", "BreakerHalfOpen"}
_TURNS: Final = _UP | _DOWN | {"Spawned"}
"""What says where an actor stands; the rest happens to it in between."""
_BY_ORDER: Final = frozenset({"NORMAL", "SHUTDOWN", "KILLED"})
_SIGNS: Final[Mapping[str, frozenset[str]]] = {
    "TIMED_OUT": frozenset({"DeadlinePassed", "DeadlineExtended", "DeadlineWarning", "HelpNeeded", "Nudged"}),
    "STALLED": frozenset({"StallConfirmed", "StallSuspected", "SilenceWarning", "HelpNeeded", "Nudged"}),
    "PATTERN": frozenset({"PatternMatched"}),
    "KILLED": frozenset({"Unresponsive"}),
    "SHUTDOWN": frozenset({"NameElsewhere"}),
    "NODE_DOWN": frozenset({"NodeDown", "NodeSuspected", "NodeReconnecting"}),
}
"""What comes before an end of a kind and is part of its cause, of the actor or its node."""
_SINCE: Final = frozenset({"Suspended", "Resumed", "StallSuspected", "DeadlineWarning", "SilenceWarning"})
"""What is worth saying of an actor that runs."""
_HEADLINE: Final = 160
_ORDERS: Final = {
    "kill": "end at once",
    "drain": "end after its queue",
    "quit": "end",
    "restart": "begin anew",
}


def explain(book: Book, path: str, *, alive: bool) -> Why | None:
    """Why the actor at a path is as it is; None where the book knows nothing of it."""
    turns = [fact for fact in book(path) if fact.kind in _TURNS]
    if not turns:
        return None
    teller = _Teller(book, path)
    state = teller.tell(turns[-1])
    if state in ("starting", "running") and not alive:
        state = "unknown"
    steps = tuple(teller.steps[:STEPS])
    first = steps[0].text
    text = f"{path} {first.removeprefix('it ')}" if first.startswith("it ") else f"{path}: {first}"
    if len(steps) == 1 and state == "running":
        text += ", and nothing has happened to it since"
    return Why(path, state, text, steps)


def _above(path: str) -> str | None:
    return None if path == "/" else path.rpartition("/")[0] or "/"


def _last(facts: Sequence[Fact], kinds: Collection[str]) -> Fact | None:
    return next((fact for fact in reversed(facts) if fact.kind in kinds), None)


class _Teller:
    """Follows one chain, the newest first."""

    def __init__(self, book: Book, path: str) -> None:
        self._book = book
        self._path = path
        self.steps: list[Step] = []

    def _say(self, fact: Fact, text: str) -> None:
        self.steps.append(Step(fact.at, fact.path, fact.kind, text, fact.number))

    def _who(self, path: str) -> str:
        return "it" if path == self._path else "the system" if path == "/" else path

    def _before(self, path: str, number: int) -> list[Fact]:
        return [fact for fact in self._book(path) if fact.number < number]

    # --- where it stands ---

    def tell(self, turn: Fact) -> str:
        """The whole chain from the newest turn on; which state that is."""
        if turn.kind in _UP or turn.kind == "Spawned":
            self._since(turn)
            self._began(turn)
            return "starting" if turn.kind == "Spawned" else "running"
        if turn.kind == "Parked":
            return self._parked(turn)
        if turn.kind == "Stopped":
            self._gone(turn, "it is gone")
            return "gone"
        if turn.kind in ("Restarting", "BreakerOpened", "BreakerHalfOpen"):
            self._waits(turn)
            return "waiting"
        self._down(self._path, turn.number + 1)
        return "ending"

    def _parked(self, turn: Fact) -> str:
        """Its budget is spent; it runs again when it was resumed, which a class does without a start."""
        after = [fact for fact in self._book(self._path) if fact.number > turn.number]
        went_on = _last(after, ("Resumed",))
        if went_on is not None:
            self._say(went_on, "it was resumed")
        reason = turn.details["exit"]["reason"]
        self._say(turn, f"it was parked: {reason}" if went_on else f"it is parked: {reason}")
        return "parked" if went_on is None else "running"

    def _since(self, up: Fact) -> None:
        """What matters, and has happened since it began."""
        latest = _last([fact for fact in self._book(self._path) if fact.number > up.number], _SINCE)
        if latest is not None and latest.kind != "Resumed":
            self._say(latest, f"it runs: {latest.text}")

    def _began(self, up: Fact) -> None:
        earlier = [fact for fact in self._before(self._path, up.number) if fact.kind in _TURNS]
        if up.kind == "Restarted":
            fell = _last(earlier, _FELL | {"Restarting", "Parked"})
            after = "" if fell is None else f", after {seconds_text(up.at - fell.at)}"
            self._say(up, f"it started again (restart {up.details['attempt']}){after}")
            if earlier and earlier[-1].kind in ("BreakerOpened", "BreakerHalfOpen"):
                self._waits(earlier[-1])
            else:
                self._down(self._path, up.number)
            return
        self._say(up, "it was spawned" if up.kind == "Spawned" else "it started")
        self._origin(_last([*earlier, up], ("Spawned",)) or up)

    def _origin(self, spawned: Fact) -> None:
        """Why it was spawned: its supervisor began again, or the one before it has gone."""
        above = _above(self._path)
        turns = [] if above is None else [f for f in self._before(above, spawned.number) if f.kind in _TURNS]
        if turns and turns[-1].kind in ("Restarting", "BreakerHalfOpen"):
            self._say(turns[-1], f"its supervisor {turns[-1].path} was starting again")
            self._down(str(above), spawned.number)
            return
        former = _last(self._before(self._path, spawned.number), ("Stopped",))
        if former is not None:
            self._gone(former, "the one before it at this path had gone")

    def _waits(self, turn: Fact) -> None:
        """It is down, and has to wait."""
        facts = self._before(self._path, turn.number)
        if turn.kind == "Restarting":
            delay, attempt = seconds_text(turn.details["delay"]), turn.details["attempt"]
            self._say(turn, f"it waits {delay} to start again (restart {attempt})")
        elif turn.kind == "BreakerOpened":
            failures, wait = number_of(turn.details["failures"], "failure"), turn.details["retry_after"]
            self._say(turn, f"its breaker opened after {failures}, for {seconds_text(wait)}")
        else:
            self._say(turn, "it was tried again, as its breaker was half-open")
            opened = _last(facts, ("BreakerOpened",))
            if opened is not None:
                self._waits(opened)
            return
        self._down(self._path, turn.number + 1)

    # --- why one went down ---

    def _gone(self, stopped: Fact, who: str) -> None:
        """It is gone, and did not start again."""
        path, exit = str(stopped.path), stopped.details["exit"]
        said = "it returned" if exit["reason"] == "normal" else _cut(ended_text(exit))
        self._say(stopped, f"{who}: {said}")
        above = _above(path)
        fell = _last(self._before(path, stopped.number), _FELL)
        if above is not None and fell is not None and exit["kind"] not in _BY_ORDER:
            for fact in self._before(above, stopped.number):
                if fact.kind == "Escalated" and fact.details["child"] == path and fact.number > fell.number:
                    self._say(fact, f"its supervisor {self._who(above)} gave up: {_budget(fact)}")
        self._fall(path, exit, stopped.number)

    def _down(self, path: str, number: int) -> None:
        """Why the actor at a path was down by then; nothing where it was not."""
        turns = [fact for fact in self._before(path, number) if fact.kind in _TURNS]
        if not turns or turns[-1].kind not in _DOWN:
            return
        last = turns[-1]
        exit = last.details.get("exit")
        if exit is None and last.kind != "EndOrdered":  # of the breaker
            fell = _last(turns, _FELL)
            exit = None if fell is None else fell.details["exit"]
        self._fall(path, exit or {"kind": "SHUTDOWN"}, last.number + 1)

    def _fall(self, path: str, exit: Exit, number: int) -> None:
        """The end of one incarnation, and what it came from."""
        if len(self.steps) >= STEPS:
            return
        parked = _last(self._before(path, number), ("Parked",)) if exit["kind"] == "BUDGET" else None
        if parked is not None:
            self._say(parked, f"{self._who(path)} was parked: {exit['reason']}")
            return
        facts = self._before(path, number)
        up = _last(facts, _UP)
        life = [fact for fact in facts if up is None or fact.number > up.number]
        if exit["kind"] in _BY_ORDER:
            self._ended(path, exit, life)
        else:
            self._failed(path, exit, life)

    def _failed(self, path: str, exit: Exit, life: Sequence[Fact]) -> None:
        fell = _last(life, _FELL)
        told = fell or next(reversed(life), None)
        if told is None:
            return
        given_up = _last(life, ("Escalated",))
        if given_up is not None:
            self._say(told, f"{self._who(path)} failed")
            self._say(given_up, f"{self._who(path)} gave up: {_budget(given_up)}")
            self._down(str(given_up.details["child"]), given_up.number)
            return
        self._say(told, f"{self._who(path)} {_failure(exit, fell)}")
        self._signs(exit, [fact for fact in life if fact.number <= told.number])
        if exit["kind"] == "NODE_DOWN":
            node = self._before(f"@{exit.get('node')}", told.number + 1)
            up = _last(node, ("NodeUp",))
            self._signs(exit, [fact for fact in node if up is None or fact.number > up.number])
        for cause in exit.get("causes", ()):
            self._say(told, f"caused by {cause}")

    def _signs(self, exit: Exit, facts: Sequence[Fact]) -> None:
        """The last one of each sort of sign among these."""
        told: set[str] = set()
        for fact in reversed(facts):
            if fact.kind in _SIGNS.get(str(exit["kind"]), ()) and fact.kind not in told:
                told.add(fact.kind)
                self._say(fact, fact.text)

    # --- who ordered it ---

    def _ended(self, path: str, exit: Exit, life: Sequence[Fact]) -> None:
        ordered = _last(life, ("EndOrdered",))
        if ordered is None:
            if exit["kind"] == "NORMAL" and life:
                self._say(life[-1], f"{self._who(path)} returned")
            return
        self._signs(exit, life)
        self._say(ordered, f"{self._who(path)} {_order(ordered, path, self._who)}")
        if ordered.details["because"] is not None:
            self._down(ordered.details["because"], ordered.number)
        else:
            self._above(path, ordered, life)
        earlier = [fact for fact in life if fact.number < ordered.number]
        fell = _last(earlier, _FELL)
        if fell is not None:  # it was waiting to start again
            self._failed(path, fell.details["exit"], earlier)

    def _above(self, path: str, ordered: Fact, life: Sequence[Fact]) -> None:
        """What its supervisor had to do with the order."""
        above = _above(path)
        if above is None:
            return
        for fact in self._book(above):  # a pool says so after the order
            if fact.kind == "PoolShrank" and fact.details["worker"] == path and fact.number > life[0].number:
                self._say(
                    fact, f"the pool {above} had no work for it for {seconds_text(fact.details['idle'])}"
                )
                return
        by, turn = ordered.details["by"], _last(self._before(above, ordered.number), _TURNS)
        if turn is not None and (
            by in (above, None) or (by, "EndOrdered") == (turn.details.get("by"), turn.kind)
        ):
            self._down(above, ordered.number)


def _budget(escalated: Fact) -> str:
    """Which child needed more restarts than there were: what it failed with comes as a step of its own."""
    return str(escalated.details["error"]).partition("; last: ")[0].removeprefix("RestartsExhausted: ")


def _cut(text: str) -> str:
    return text if len(text) <= _HEADLINE else text[: _HEADLINE - 1] + "…"


def _failure(exit: Exit, fell: Fact | None) -> str:
    kind, error = str(exit["kind"]), exit.get("error") or exit.get("reason")
    said = "did not start" if kind == "START_FAILED" else f"ended {kind}"
    said = "failed" if kind == "FAILED" else said
    hand = None if fell is None else fell.details.get("message")
    where = exit.get("where")
    return (
        said
        + (f": {error}" if error else "")
        + (f", with {hand} in hand" if hand else "")
        + (f", at {where}" if where else "")
    )


def _order(ordered: Fact, path: str, who: Callable[[str], str]) -> str:
    order, by, because = (ordered.details[name] for name in ("order", "by", "because"))
    said = f"was told to {_ORDERS.get(order, order)}"
    if because is not None:
        return f"{said}, as {who(because)} had ended"
    if by == path:
        return "asked for its own end" if order == "quit" else f"{said} in its own code"
    if by is None:
        return f"{said} from outside" if path == "/" else f"{said} from outside of all actors"
    return f"{said} by its supervisor {who(by)}" if by == _above(path) else f"{said} by {who(by)}"
