"""People: requests with deadlines, answers, approvals of actions. Users reach them through `system.desk`."""

from actors.asking import Asking
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

__all__ = [
    "RAISE",
    "Action",
    "ActionChanged",
    "AlreadyAnswered",
    "Answer",
    "Asking",
    "Desk",
    "DeskError",
    "DeskFull",
    "DeskStatistics",
    "Escalate",
    "InvalidAnswer",
    "KeyReused",
    "NoAnswer",
    "NotApproved",
    "Permit",
    "PermitError",
    "PermitUsed",
    "PersonRequest",
    "Queue",
    "RequestExpired",
    "RequestWithdrawn",
    "UnknownRequest",
]
