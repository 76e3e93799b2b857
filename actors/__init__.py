"""Supervised actors on trio: Erlang's supervision, trio's structured concurrency."""

from actors.core.actor import (
    Actor,
    function,
    receive,
)
from actors.core.ask import (
    Pending,
    ReplyPort,
)
from actors.core.context import (
    Context,
    Inbox,
)
from actors.core.groups import (
    Group,
)
from actors.core.lifecycle import (
    ActorState,
)
from actors.core.ref import (
    Ref,
)
from actors.core.statistics import (
    Statistics,
)
from actors.core.timers import (
    Timer,
)
from actors.errors import (
    ActorError,
    ActorFailed,
    ActorStopped,
    AskTimeout,
    CircuitOpen,
    Deadlock,
    Interrupted,
    InvalidName,
    MailboxFull,
    NameTaken,
    NestedSystem,
    NotSerializable,
    PermanentFailure,
    RateLimited,
    Refused,
    RestartsExhausted,
    StartFailed,
    SupervisorFailed,
    SystemClosed,
    TagTaken,
    Unhandled,
    UnknownActor,
    UnknownNode,
)
from actors.exits import (
    Exit,
    ExitKind,
)
from actors.messages import (
    Request,
    Terminated,
    message,
    tag_of,
)
from actors.observe.bus import (
    Subscription,
)
from actors.observe.tree import (
    TreeNode,
)
from actors.outcome import (
    FailureKind,
    Outcome,
    classify,
)
from actors.policy import (
    Backoff,
    Breaker,
    Mailbox,
    OneForAll,
    OneForOne,
    Policy,
    RestForOne,
)
from actors.supervision.breaker import (
    BreakerState,
    CircuitState,
)
from actors.supervision.supervisor import (
    Supervisor,
)
from actors.system import (
    System,
    SystemStatistics,
    open_system,
)

__all__ = [
    "Actor",
    "ActorError",
    "ActorFailed",
    "ActorState",
    "ActorStopped",
    "AskTimeout",
    "Backoff",
    "Breaker",
    "BreakerState",
    "CircuitOpen",
    "CircuitState",
    "Context",
    "Deadlock",
    "Exit",
    "ExitKind",
    "FailureKind",
    "Group",
    "Inbox",
    "Interrupted",
    "InvalidName",
    "Mailbox",
    "MailboxFull",
    "NameTaken",
    "NestedSystem",
    "NotSerializable",
    "OneForAll",
    "OneForOne",
    "Outcome",
    "Pending",
    "PermanentFailure",
    "Policy",
    "RateLimited",
    "Ref",
    "Refused",
    "ReplyPort",
    "Request",
    "RestForOne",
    "RestartsExhausted",
    "StartFailed",
    "Statistics",
    "Subscription",
    "Supervisor",
    "SupervisorFailed",
    "System",
    "SystemClosed",
    "SystemStatistics",
    "TagTaken",
    "Terminated",
    "Timer",
    "TreeNode",
    "Unhandled",
    "UnknownActor",
    "UnknownNode",
    "classify",
    "function",
    "message",
    "open_system",
    "receive",
    "tag_of",
]
