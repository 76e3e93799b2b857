"""Actors, their mailboxes and their lives. Users import from `actors`."""

from actors.core.actor import Actor, function, receive
from actors.core.ask import Pending, ReplyPort
from actors.core.context import Context
from actors.core.groups import Group
from actors.core.lifecycle import ActorState
from actors.core.ref import Ref
from actors.core.statistics import Statistics
from actors.core.stream import Stream
from actors.core.timers import Timer

__all__ = [
    "Actor",
    "ActorState",
    "Context",
    "Group",
    "Pending",
    "Ref",
    "ReplyPort",
    "Statistics",
    "Stream",
    "Timer",
    "function",
    "receive",
]
