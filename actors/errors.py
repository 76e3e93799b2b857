"""Every exception of the framework, grouped by what the caller can do about it.

Rules of this file: an error carries its objects as fields, its text says what
happened, where, and what to do. It is raised once, at the edge where the fault
shows, with the foreign exception as its cause.

`TooSlowError` is the one name taken from trio: an `AskTimeout` must be caught by
code that knows only trio.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, cast

from trio import TooSlowError

from actors.budgets import said

if TYPE_CHECKING:
    from actors.core.ref import Ref
    from actors.exits import Exit
    from actors.outcome import FailureKind

__all__ = [
    "ActorError",
    "ActorFailed",
    "ActorStopped",
    "AskTimeout",
    "BudgetSpent",
    "CircuitOpen",
    "CooldownActive",
    "DeadlineExceeded",
    "Deadlock",
    "DepthExceeded",
    "InsecureListen",
    "Interrupted",
    "InvalidName",
    "InvalidTemplate",
    "LinkRefused",
    "MailboxFull",
    "NameReserved",
    "NameTaken",
    "NestedSystem",
    "NodeLost",
    "NodeProcessEnded",
    "NodeUnreachable",
    "NotAChild",
    "NotReady",
    "NotSerializable",
    "NotSpawnable",
    "PatternFound",
    "PermanentFailure",
    "RateLimited",
    "Refused",
    "RemoteError",
    "RestartsExhausted",
    "SpawnDenied",
    "SpawnLimitReached",
    "SpawnRefused",
    "Stalled",
    "StartFailed",
    "SupervisorFailed",
    "SystemClosed",
    "TagTaken",
    "TimedOut",
    "Unhandled",
    "UnknownActor",
    "UnknownNode",
]


class ActorError(Exception):
    """The base of every error that this package raises."""


# --- mistakes in the call: nothing was done, correct the call -----------------


class InvalidName(ActorError, ValueError):
    """The text cannot be the name of an actor or a system."""

    def __init__(self, name: object) -> None:
        self.name = name
        shown = repr(name) if len(repr(name)) <= 60 else repr(name)[:57] + "..."
        super().__init__(
            f"{shown} is not a valid name: use 1 to 128 letters, digits, '.', '_' or '-', "
            f"beginning with a letter or a digit, as in 'worker-1'"
        )


class NameTaken(ActorError, ValueError):
    """A living sibling has this name already."""

    def __init__(self, name: str, ref: Ref) -> None:
        self.name = name
        self.ref = ref
        super().__init__(f"{ref.path} is taken by a living actor: stop it first, or choose another name")


class NameReserved(ActorError, ValueError):
    """The framework keeps this name below the root for its own actors."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"/{name} is the framework's own: choose another name below the root")


class TagTaken(ActorError, ValueError):
    """Two different message classes claim one wire tag."""

    def __init__(self, tag: str, owner: type, newcomer: type) -> None:
        self.tag = tag
        self.owner = owner
        self.newcomer = newcomer
        super().__init__(
            f"the tag {tag!r} belongs to {owner.__module__}.{owner.__qualname__}: "
            f"give {newcomer.__module__}.{newcomer.__qualname__} another one with @message(tag=...)"
        )


class NotSerializable(ActorError, TypeError):
    """Only `@message` classes may cross a link or enter a durable store.

    `.kind` is the class that cannot; where it is a part of a message, the text says of which.
    """

    def __init__(self, kind: type, why: str = "") -> None:
        self.kind = kind
        name = f"{kind.__module__}.{kind.__qualname__}"
        super().__init__(
            f"{name} {why}" if why else f"{name} is not a message class: decorate it with @actors.message"
        )


class UnknownActor(ActorError, LookupError):
    """The ref is none of this system's, or nobody has been heard of at this path; `.near` are like it."""

    def __init__(self, ref: object, system: str, near: Sequence[str] | None = None) -> None:
        self.ref = ref
        self.system = system
        self.near = tuple(near or ())
        if near is not None:
            cure = f"did you mean {', '.join(near)}?" if near else "str(system.tree()) shows who is there"
            super().__init__(f"nothing is known of an actor {ref!r:.200} in the system {system!r}: {cure}")
        else:
            super().__init__(f"{ref!r} is not an actor of the system {system!r}: pass a ref that it spawned")


class UnknownNode(ActorError, LookupError):
    """No linked node has this name."""

    def __init__(self, node: str) -> None:
        self.node = node
        super().__init__(
            f"no node named {node!r} is linked to this system: leave out on=, or connect it first"
        )


class NestedSystem(ActorError, RuntimeError):
    """A system was opened inside an actor of another one."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(
            f"open_system() was called inside the actor {path}: its tasks would have no supervisor. "
            f"Spawn into the system at hand with self.ctx.system.spawn(...)"
        )


class Deadlock(ActorError, RuntimeError):
    """An actor waits for its own answer, which it can never give."""

    def __init__(self, ref: Ref, message: object) -> None:
        self.ref = ref
        self.message = message
        super().__init__(
            f"{ref.path} waits for itself to take {type(message).__name__}, and would wait for ever: "
            f"call the method directly, or tell itself the message"
        )


class SystemClosed(ActorError, RuntimeError):
    """The system is closing or closed and starts nothing any more."""

    def __init__(self, system: str) -> None:
        self.system = system
        super().__init__(f"the system {system!r} is closed: use it inside its `async with` block")


class InvalidTemplate(ActorError, ValueError, TypeError):
    """What a template says does not fit what it is of; the text names the keys that would."""


class NotAChild(ActorError, ValueError):
    """The ref is of no child of this supervisor, nor of one that it has had from this spawner."""

    def __init__(self, ref: object, supervisor: str) -> None:
        self.ref = ref
        self.supervisor = supervisor
        super().__init__(f"{ref!r} is no child of {supervisor}: pass the ref of one of its children")


# --- growth that is bounded: try again later, or not ----------------------------


class SpawnRefused(ActorError, RuntimeError):
    """A spawner does not spawn this; nothing was started. The base of the reasons."""


class SpawnLimitReached(SpawnRefused):
    """As many live as may; `.active` of `.max_active`. Despawn one, or wait until one has ended."""

    def __init__(
        self,
        active: int,
        max_active: int,
        whose: str = "the spawner",
        cure: str = "despawn one, or raise max_active",
    ) -> None:
        self.active = active
        self.max_active = max_active
        self.whose = whose
        super().__init__(f"{whose} has {active} of at most {max_active} alive: {cure}")


class CooldownActive(SpawnRefused):
    """The last spawn was too short a time ago; `.retry_after` is in seconds."""

    def __init__(self, retry_after: float) -> None:
        self.retry_after = retry_after
        super().__init__(
            f"the last spawn was too short a time ago: try again in {retry_after:g} s, "
            f"or `await wait_spawn(...)`"
        )


class DepthExceeded(SpawnRefused, ValueError):
    """It would be a child of a child of ... deeper than allowed; `.depth`, `.max_depth`."""

    def __init__(self, depth: int, max_depth: int) -> None:
        self.depth = depth
        self.max_depth = max_depth
        super().__init__(
            f"the depth would be {depth}, and at most {max_depth} is allowed: spawn from a shallower one, "
            f"or raise max_depth"
        )


class SpawnDenied(SpawnRefused):
    """The approval hook said no; `.reason` is what it said, or empty."""

    def __init__(self, reason: str = "") -> None:
        self.reason = reason
        super().__init__(f"the approval hook has denied the spawn{f': {reason}' if reason else ''}")


# --- how an ask can end without an answer -------------------------------------


class AskTimeout(ActorError, TooSlowError):
    """No reply came within the limit (seconds). The request is withdrawn if it still waits."""

    def __init__(self, ref: Ref, message: object, limit: float, state: object) -> None:
        self.ref = ref
        self.message = message
        self.limit = limit
        self.state = state
        super().__init__(
            f"{ref.path} did not answer {type(message).__name__} within {limit:g} s; it is {state} now"
        )


class ActorFailed(ActorError):
    """The actor failed while it handled the request; its error is the cause."""

    def __init__(self, ref: Ref, error: BaseException | None = None) -> None:
        self.ref = ref
        self.error = error
        said = "" if error is None else f": {one_line(error)}"
        super().__init__(f"{ref.path} failed while handling the request{said}")
        self.__cause__ = error


class ActorStopped(ActorError):
    """The actor has ended or is ending, and answers no more."""

    def __init__(self, ref: Ref, exit: Exit | None = None, why: str = "") -> None:
        self.ref = ref
        self.exit = exit
        said = "is stopping" if exit is None else f"has stopped ({exit.reason})"
        super().__init__(f"{ref.path} {why or f'{said} and takes no requests'}")
        if exit is not None:
            self.__cause__ = exit.error


class Refused(ActorError):
    """Raised by a handler to turn a request down; the actor lives on."""


class Unhandled(ActorError):
    """The actor has no handler for this type of message."""

    def __init__(self, ref: Ref, message: object) -> None:
        self.ref = ref
        self.message = message
        super().__init__(
            f"{ref.path} has no handler for {type(message).__name__}: "
            f"add one with @actors.receive, or ask another actor"
        )


class Interrupted(ActorError):
    """`interrupt()` cancelled the handler that worked on this request; the actor lives on."""

    def __init__(self, ref: Ref, message: object) -> None:
        self.ref = ref
        self.message = message
        super().__init__(f"{ref.path} was interrupted while handling {type(message).__name__}")


class MailboxFull(ActorError):
    """The mailbox is at its capacity; the message comes back in `.message`."""

    def __init__(self, ref: Ref, message: object, capacity: float) -> None:
        self.ref = ref
        self.message = message
        self.capacity = capacity
        super().__init__(
            f"the mailbox of {ref.path} is full ({capacity:g} waiting) and did not take "
            f"{type(message).__name__}: wait for room with `await ref.send(...)`, or try again later"
        )


class CircuitOpen(ActorError):
    """The breaker of the path is open: nothing is tried for `retry_after` more seconds."""

    def __init__(self, path: str = "", failures: int = 0, retry_after: float = 0.0) -> None:
        self.path = path
        self.failures = failures
        self.retry_after = retry_after
        whose = f"the breaker of {path}" if path else "the breaker"
        after = f" after {failures} failure{'' if failures == 1 else 's'}" if failures else ""
        when = f"try again in {retry_after:g} s" if retry_after > 0 else "a probe is under way"
        super().__init__(f"{whose} is open{after}: {when}")


class BudgetSpent(ActorError):
    """A budget is used up: a limit was passed, or what was asked for would pass it, and is not to be done.

    `.resource` is "tokens", "money", "tool_calls" or "spawns", `.spent` of `.limit`. `.scope` is whose budget
    it is: the `Ref` of an actor or of the root (the system's), or the block of `actors.budget(...)`; None
    where it comes from another node. `.path` is the actor's, or that of the actor with the block.
    """

    def __init__(
        self, resource: str, limit: float, spent: float, scope: object = None, path: str | None = None
    ) -> None:
        self.resource = resource
        self.limit = limit
        self.spent = spent
        self.scope = scope
        self.path = path
        if path is None or hasattr(scope, "limits"):
            whose = "a block" if path is None else f"a block in {path}"
            cure = "open it with more, or catch this error around it"
        elif path == "/":
            whose, cure = "the system", f"system.top_up('/', {resource}=...) goes on"
        else:
            whose, cure = path, f"system.top_up({path!r}, {resource}=...) goes on"
        super().__init__(f"the budget of {whose} is spent: {said(resource, spent, limit)}. {cure}")

    def again(self) -> BudgetSpent:
        """The same for somebody else: an error that is raised twice drags the first trace along."""
        return BudgetSpent(self.resource, self.limit, self.spent, self.scope, self.path)


# --- how an actor can end ------------------------------------------------------


class StartFailed(ActorError):
    """The actor did not become ready; what its start raised is the cause."""

    def __init__(self, ref: Ref, error: BaseException | None = None) -> None:
        self.ref = ref
        self.error = error
        said = "it ended before it was ready" if error is None else one_line(error)
        super().__init__(f"{ref.path} failed to start: {said}")
        self.__cause__ = error


class NotReady(ActorError):
    """Of the actors waited for, `.failed` never became ready, and `.late` were not in time; `.ready` are.

    `.failed` maps each ref to its error; `.timeout` is in seconds, or None.
    """

    def __init__(
        self,
        failed: Mapping[Ref, BaseException],
        late: Sequence[Ref] = (),
        ready: Sequence[Ref] = (),
        timeout: float | None = None,
    ) -> None:
        self.failed = dict(failed)
        self.late = tuple(late)
        self.ready = tuple(ready)
        self.timeout = timeout
        said = [f"{ref.path} failed ({one_line(error)})" for ref, error in self.failed.items()]
        said += [f"{ref.path} was not ready within {timeout or 0.0:g} s" for ref in self.late]
        total = len(self.failed) + len(self.late) + len(self.ready)
        super().__init__(f"{len(self.ready)} of {total} are ready: {'; '.join(said)}")


class RestartsExhausted(ActorError):
    """A supervisor gave up: a child failed more often than its strategy allows."""

    def __init__(
        self,
        child: Ref,
        restarts: int,
        within: float,
        error: BaseException | None = None,
        shared: bool = False,
    ) -> None:
        self.child = child
        self.shared = shared
        self.restarts = restarts
        self.within = within
        self.error = error
        said = "" if error is None else f"; last: {one_line(error)}"
        what = (
            f"{child.path}, the last of its group to fail, needs more than"
            if shared
            else f"{child.path} needs more than"
        )
        super().__init__(
            f"{what} the {restarts} restarts allowed within {within:g} s{said}. Raise "
            f"max_restarts or within of its supervisor's strategy, or give it a breaker that opens earlier"
        )
        self.__cause__ = error


class SupervisorFailed(ActorError):
    """The root supervisor of a system gave up; its error is the cause."""

    def __init__(self, system: str, error: BaseException | None = None) -> None:
        self.system = system
        self.error = error
        said = "" if error is None else f": {one_line(error)}"
        super().__init__(f"the root supervisor of the system {system!r} gave up{said}")
        self.__cause__ = error


# --- other nodes ------------------------------------------------------------------


class InsecureListen(ActorError, ValueError):
    """Others could reach this address, and nothing would keep them out."""

    def __init__(self, host: str) -> None:
        self.host = host
        super().__init__(
            f"{host!r} can be reached from other machines: pass token= or ssl_context=, "
            f"or listen on 127.0.0.1"
        )


class NodeUnreachable(ActorError, OSError):
    """Nobody answers at the address in time, or what answers is no node."""

    def __init__(self, url: str, why: str) -> None:
        self.url = url
        self.why = why
        super().__init__(f"no node answers at {url} ({why}): is it running, and is the address right?")


class LinkRefused(ActorError):
    """The other node answers, and does not want the link; `.reason` is one word, `.text` says more."""

    def __init__(self, reason: str, text: str = "", url: str = "") -> None:
        self.reason = reason
        self.text = text
        self.url = url
        at = f" at {url}" if url else ""
        super().__init__(f"the node{at} refuses the link ({reason}){f': {text}' if text else ''}")


class NodeLost(ActorError):
    """The node is gone for longer than the lease, has closed, or has started anew; see `.reason`."""

    def __init__(self, node: str, reason: str) -> None:
        self.node = node
        self.reason = reason
        super().__init__(f"the node {node!r} is gone: {reason}")


class NodeProcessEnded(ActorError):
    """The process of a node has ended by itself, or could not begin; see `.why`."""

    def __init__(self, node: str, why: str) -> None:
        self.node = node
        self.why = why
        super().__init__(f"the process of the node {node!r} {why}")


class NotSpawnable(ActorError, ValueError):
    """The other node does not start this for others; `.allowed` is what it does."""

    def __init__(self, what: str, node: str, allowed: Iterable[str] = ()) -> None:
        self.what = what
        self.node = node
        self.allowed = tuple(allowed)
        known = ", ".join(self.allowed) or "nothing"
        super().__init__(
            f"the node {node!r} does not start {what} for others (it allows: {known}): "
            f"open its system with spawnable=[{what.rpartition(':')[2]}, ...]"
        )


class RemoteError(ActorError):
    """An error of another node, as text: its type's name, its message, its traceback.

    It is the cause of the error that a local actor would have raised. `.kind` is the kind of
    failure that the other node makes of it, `.retry_after` the seconds it named, or None.
    """

    def __init__(
        self,
        type_name: str,
        message: str = "",
        traceback_text: str = "",
        kind: FailureKind | None = None,
        retry_after: float | None = None,
    ) -> None:
        self.type_name = type_name
        self.message = message
        self.traceback_text = traceback_text
        self.kind = kind
        self.retry_after = retry_after
        super().__init__(f"{type_name}: {message}" if message else type_name)
        if traceback_text:
            self.add_note(f"on the other node:\n{traceback_text.rstrip()}")  # or it would be seen by nobody


# --- what ended a run that had bounds --------------------------------------------


def _whose(ref: Ref | None) -> str:
    return "the run" if ref is None else ref.path


class TimedOut(ActorError, TooSlowError):
    """The run used up its limit, `.limit` seconds from its start, grown `.extensions` times."""

    def __init__(self, limit: float, extensions: int = 0, ref: Ref | None = None) -> None:
        self.limit = limit
        self.extensions = extensions
        self.ref = ref
        grown = f", which activity had extended {extensions} times" if extensions else ""
        super().__init__(
            f"{_whose(ref)} reached its limit of {limit:g} s{grown}: "
            f"call progress() while it gets on, or raise initial or maximum of its Timeout"
        )


class Stalled(ActorError, TooSlowError):
    """The run showed no sign of life for `.idle` seconds.

    `.since` is when that had become too long, on trio's clock; None where it was no actor's run.
    """

    def __init__(
        self,
        idle: float,
        ref: Ref | None = None,
        by: str = "no_activity of its Timeout",
        since: float | None = None,
    ) -> None:
        self.idle = idle
        self.ref = ref
        self.by = by
        self.since = since
        super().__init__(
            f"{_whose(ref)} showed no activity for {idle:g} s, more than {by} allows: "
            f"call progress() while it gets on, or allow more"
        )


class DeadlineExceeded(ActorError, TooSlowError):
    """The deadline of a batch of jobs passed, `.deadline` seconds after its call, before this job had ended.

    `.job` is what the job is called, `.attempts` how often it was started.
    """

    def __init__(self, deadline: float, job: str, attempts: int = 0) -> None:
        self.deadline = deadline
        self.job = job
        self.attempts = attempts
        done = "ended" if attempts else "started"
        super().__init__(
            f"{job} had not {done} when the deadline of the batch passed, {deadline:g} s after its call: "
            f"allow more, raise limit=, or give the jobs a timeout"
        )


class PatternFound(ActorError):
    """The output of the run matched an error pattern; `.line` is where.

    `.kind` is the pattern's `FailureKind`; `.retry_after` the seconds that the line named, or None.
    """

    def __init__(
        self,
        pattern: str,
        line: str,
        stream: str = "stderr",
        kind: FailureKind | None = None,
        retry_after: float | None = None,
        ref: Ref | None = None,
    ) -> None:
        self.pattern = pattern
        self.line = line
        self.stream = stream
        self.kind = kind
        self.retry_after = retry_after
        self.ref = ref
        super().__init__(f"{_whose(ref)} wrote to {stream} what matches {pattern}: {line}")


# --- failures that user code raises to say more --------------------------------


class RateLimited(ActorError):
    """Raise or derive it: the service asks to come back later. Never counts for a breaker.

    `retry_after` is in seconds, or None when the service did not say.
    """

    def __init__(self, *text: object, retry_after: float | None = None) -> None:
        if len(text) == 1 and isinstance(text[0], int | float):
            retry_after, text = float(text[0]), ()
        self.retry_after = retry_after
        when = "" if retry_after is None else f"; retry after {retry_after:g} s"
        super().__init__(*(text or (f"rate limited{when}",)))


class PermanentFailure(ActorError):
    """Raise or derive it: trying again cannot help (a wrong key, an unknown model)."""


def one_line(error: BaseException) -> str:
    """The error's type and text on one line, never empty."""
    try:
        text = " ".join(str(error).split())
    except Exception:  # its own __str__ is broken
        text = ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def flatten(error: BaseException) -> Iterable[BaseException]:
    """The leaves of an exception group, depth first; an ordinary exception is its own only leaf."""
    if isinstance(error, BaseExceptionGroup):
        for child in cast("BaseExceptionGroup[BaseException]", error).exceptions:
            yield from flatten(child)
    else:
        yield error
