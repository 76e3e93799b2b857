"""Supervised actors on trio: Erlang's supervision, trio's structured concurrency."""

from actors import delivery as delivery
from actors import events as events
from actors import process as process
from actors.asking import Asking
from actors.budgeting import BudgetState
from actors.budgets import Budget, Spent
from actors.census import (
    SystemStatistics,
)
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
from actors.core.spending import (
    BudgetScope,
    budget,
    spend,
)
from actors.core.statistics import (
    Statistics,
)
from actors.core.stream import (
    Stream,
)
from actors.core.timers import (
    Timer,
)
from actors.delivery.errors import (
    FeedGap,
    HopLimitReached,
    IllegalMove,
    KeyConflict,
    NoReplyYet,
    NotTheOwner,
    PayloadTooLarge,
    PostRateExceeded,
    PostRefused,
    RecipientFull,
    StateUnreadable,
    StoreDamaged,
    StoreError,
    StoreInUse,
    StoreInvalid,
    StoreTooNew,
    StoreUnavailable,
    TicketCancelled,
    TicketError,
    TicketFailed,
    TicketTimedOut,
    UnknownTicket,
    Unreadable,
)
from actors.delivery.ticket import (
    TicketState,
)
from actors.delivery.ticketing import (
    Ticket,
)
from actors.errors import (
    ActorError,
    ActorFailed,
    ActorStopped,
    AskTimeout,
    BudgetSpent,
    CircuitOpen,
    CooldownActive,
    DeadlineExceeded,
    Deadlock,
    DepthExceeded,
    InsecureListen,
    Interrupted,
    InvalidName,
    InvalidTemplate,
    LinkRefused,
    MailboxFull,
    NameReserved,
    NameTaken,
    NestedSystem,
    NodeLost,
    NodeProcessEnded,
    NodeUnreachable,
    NotAChild,
    NotReady,
    NotSerializable,
    NotSpawnable,
    PatternFound,
    PermanentFailure,
    RateLimited,
    Refused,
    RemoteError,
    RestartsExhausted,
    SpawnDenied,
    SpawnLimitReached,
    SpawnRefused,
    Stalled,
    StartFailed,
    SupervisorFailed,
    SystemClosed,
    TagTaken,
    TimedOut,
    Unhandled,
    UnknownActor,
    UnknownNode,
)
from actors.exits import (
    Exit,
    ExitKind,
)
from actors.jobs.job import (
    Job,
)
from actors.limits import (
    DEFAULT_PATTERNS,
    Ladder,
    Oversight,
    Pattern,
    Stall,
    Timeout,
    Watchdog,
)
from actors.messages import (
    Nudge,
    Request,
    StreamRequest,
    Terminated,
    Text,
    TicketReply,
    message,
    tag_of,
)
from actors.observe.bus import (
    Subscription,
)
from actors.outcome import (
    FailureKind,
    Outcome,
    classify,
)
from actors.people.action import Action
from actors.people.counts import DeskStatistics
from actors.people.desk import Desk
from actors.people.errors import (
    ActionChanged,
    AlreadyAnswered,
    DeskError,
    DeskFull,
    InvalidAnswer,
    KeyReused,
    NoAnswer,
    NotApproved,
    PermitError,
    PermitUsed,
    RequestExpired,
    RequestWithdrawn,
    UnknownRequest,
)
from actors.people.permit import Permit
from actors.people.queue import Queue
from actors.people.request import RAISE, Answer, Escalate, PersonRequest
from actors.policy import (
    Backoff,
    Breaker,
    Delivery,
    Mailbox,
    OneForAll,
    OneForOne,
    Policy,
    RestForOne,
)
from actors.posting import (
    Posting,
)
from actors.remote.link import (
    LinkState,
)
from actors.remote.peer import (
    Listener,
    Peer,
)
from actors.spawning.coordination import (
    Consensus,
    consensus,
    parallel,
    sequential,
    stop_all,
)
from actors.spawning.history import (
    SpawnerStatistics,
    SpawnMetrics,
    SpawnRecord,
    SpawnRequest,
)
from actors.spawning.limits import (
    SpawnLimits,
)
from actors.spawning.network import (
    Spawning,
)
from actors.spawning.news import (
    NetworkReady,
    ReadyWatch,
)
from actors.spawning.pool import (
    Pool,
)
from actors.spawning.readiness import (
    SpawnStep,
)
from actors.spawning.spawner import (
    Spawner,
)
from actors.spawning.template import (
    Template,
)
from actors.spawning.triggers import (
    SpawnTrigger,
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
    open_system,
)
from actors.timeouts.scopes import (
    ProgressiveTimeout,
    progressive_timeout,
)
from actors.tree import (
    TreeNode,
)

__all__ = [
    "DEFAULT_PATTERNS",
    "RAISE",
    "Action",
    "ActionChanged",
    "Actor",
    "ActorError",
    "ActorFailed",
    "ActorState",
    "ActorStopped",
    "AlreadyAnswered",
    "Answer",
    "AskTimeout",
    "Asking",
    "Backoff",
    "Breaker",
    "BreakerState",
    "Budget",
    "BudgetScope",
    "BudgetSpent",
    "BudgetState",
    "CircuitOpen",
    "CircuitState",
    "Consensus",
    "Context",
    "CooldownActive",
    "DeadlineExceeded",
    "Deadlock",
    "Delivery",
    "DepthExceeded",
    "Desk",
    "DeskError",
    "DeskFull",
    "DeskStatistics",
    "Escalate",
    "Exit",
    "ExitKind",
    "FailureKind",
    "FeedGap",
    "Group",
    "HopLimitReached",
    "IllegalMove",
    "Inbox",
    "InsecureListen",
    "Interrupted",
    "InvalidAnswer",
    "InvalidName",
    "InvalidTemplate",
    "Job",
    "KeyConflict",
    "KeyReused",
    "Ladder",
    "LinkRefused",
    "LinkState",
    "Listener",
    "Mailbox",
    "MailboxFull",
    "NameReserved",
    "NameTaken",
    "NestedSystem",
    "NetworkReady",
    "NoAnswer",
    "NoReplyYet",
    "NodeLost",
    "NodeProcessEnded",
    "NodeUnreachable",
    "NotAChild",
    "NotApproved",
    "NotReady",
    "NotSerializable",
    "NotSpawnable",
    "NotTheOwner",
    "Nudge",
    "OneForAll",
    "OneForOne",
    "Outcome",
    "Oversight",
    "Pattern",
    "PatternFound",
    "PayloadTooLarge",
    "Peer",
    "Pending",
    "PermanentFailure",
    "Permit",
    "PermitError",
    "PermitUsed",
    "PersonRequest",
    "Policy",
    "Pool",
    "PostRateExceeded",
    "PostRefused",
    "Posting",
    "ProgressiveTimeout",
    "Queue",
    "RateLimited",
    "ReadyWatch",
    "RecipientFull",
    "Ref",
    "Refused",
    "RemoteError",
    "ReplyPort",
    "Request",
    "RequestExpired",
    "RequestWithdrawn",
    "RestForOne",
    "RestartsExhausted",
    "SpawnDenied",
    "SpawnLimitReached",
    "SpawnLimits",
    "SpawnMetrics",
    "SpawnRecord",
    "SpawnRefused",
    "SpawnRequest",
    "SpawnStep",
    "SpawnTrigger",
    "Spawner",
    "SpawnerStatistics",
    "Spawning",
    "Spent",
    "Stall",
    "Stalled",
    "StartFailed",
    "StateUnreadable",
    "Statistics",
    "StoreDamaged",
    "StoreError",
    "StoreInUse",
    "StoreInvalid",
    "StoreTooNew",
    "StoreUnavailable",
    "Stream",
    "StreamRequest",
    "Subscription",
    "Supervisor",
    "SupervisorFailed",
    "System",
    "SystemClosed",
    "SystemStatistics",
    "TagTaken",
    "Template",
    "Terminated",
    "Text",
    "Ticket",
    "TicketCancelled",
    "TicketError",
    "TicketFailed",
    "TicketReply",
    "TicketState",
    "TicketTimedOut",
    "TimedOut",
    "Timeout",
    "Timer",
    "TreeNode",
    "Unhandled",
    "UnknownActor",
    "UnknownNode",
    "UnknownRequest",
    "UnknownTicket",
    "Unreadable",
    "Watchdog",
    "budget",
    "classify",
    "consensus",
    "function",
    "message",
    "open_system",
    "parallel",
    "progressive_timeout",
    "receive",
    "sequential",
    "spend",
    "stop_all",
    "tag_of",
]
