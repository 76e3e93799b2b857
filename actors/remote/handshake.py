"""The handshake: who may talk to whom, and whether a session goes on. Pure.

    dialler                         listener
       │ ── Hello ──────────────────▶ │   who I am, my token, what I expect, a session to resume
       │ ◀── Welcome or Refusal ───── │   who I am, the session, what I have of it
       │ ── Beat ───────────────────▶ │   the confirmation: from now on the link is UP

A node is its name and an incarnation, drawn when it starts. What an older incarnation
sends is refused; a newer one ends all that the older one had.

A link that both ends dial at once keeps one connection. Who has dialled uses it with the
welcome, who was dialled with the first beat. In between the dialled one may get a welcome
for its own dial, and takes that if its name is the smaller one. So of two connections that
both ends have welcomed, both ends choose the same; and where only one was welcomed, the
other was refused with `ALREADY_LINKED`.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Container, Mapping
from typing import Final

import attrs

from actors.errors import InvalidName
from actors.names import check_name
from actors.remote.session import Received

__all__ = [
    "FEATURES",
    "PROTOCOL",
    "SETTINGS",
    "SHORTEST_LEASE",
    "SUBPROTOCOL",
    "Acquaintance",
    "Hello",
    "Reason",
    "Refusal",
    "Resume",
    "Welcome",
    "judge",
    "judge_welcome",
    "shared_features",
]

PROTOCOL: Final = 1
SUBPROTOCOL: Final = f"actors.v{PROTOCOL}"
SETTINGS: Final[Mapping[str, str]] = {"codec": "json", "envelope": "1"}
"""What both ends must agree on: the fingerprint."""
FEATURES: Final[Mapping[str, str]] = {"streams": "1"}
"""What this node can do that not every node of the protocol can; said beside the settings."""
SHORTEST_LEASE: Final = 0.5
"""Seconds. In a shorter one the beats would be all that a node does."""
_LONGEST: Final = 64
"""Characters of an incarnation: former ones are kept."""


class Reason(enum.StrEnum):
    """Why a node will not talk to another."""

    BAD_FRAME = "bad-frame"
    TOO_LARGE = "too-large"
    TOO_SLOW = "too-slow"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN_ORIGIN = "forbidden-origin"
    PROTOCOL_MISMATCH = "protocol-mismatch"
    SETTINGS_MISMATCH = "settings-mismatch"
    BAD_NAME = "bad-name"
    SAME_NAME = "same-name"
    NAME_TAKEN = "name-taken"
    ALREADY_LINKED = "already-linked"
    OLD_INCARNATION = "old-incarnation"
    SESSION_GONE = "session-gone"
    BAD_NUMBERS = "bad-numbers"
    NO_CREDIT = "no-credit"
    CLOSING = "closing"
    OVERLOADED = "overloaded"
    REPLACED = "replaced"
    SILENT = "silent"


@attrs.frozen(kw_only=True)
class Resume:
    """The session that a dialler wants to go on with, and what it has of it."""

    session: str
    incarnation: str
    """of the listener"""
    received: Received


@attrs.frozen(kw_only=True)
class Hello:
    """The first frame, from whoever has dialled."""

    protocol: int
    node: str
    incarnation: str
    token: str | None = None
    lease: float = 15.0
    settings: dict[str, str] = attrs.field(factory=lambda: {**SETTINGS, **FEATURES})
    spawnable: tuple[str, ...] = ()
    max_message: int = 1024 * 1024
    resume: Resume | None = None


@attrs.frozen(kw_only=True)
class Welcome:
    """The answer: the link stands as soon as the first beat comes."""

    node: str
    incarnation: str
    session: str
    received: Received
    resumed: bool = False
    lease: float = 15.0
    spawnable: tuple[str, ...] = ()
    max_message: int = 1024 * 1024
    settings: dict[str, str] = attrs.field(factory=dict[str, str])
    """Its features that the dialler has too: an older dialler has none, and would not read this."""


@attrs.frozen
class Refusal:
    """The other answer, and the last frame of a connection that is closed for a reason."""

    reason: Reason
    text: str = ""
    node: str | None = None
    """Who refuses, where the other end may know."""

    def __str__(self) -> str:
        return f"{self.reason}: {self.text}" if self.text else str(self.reason)


@attrs.frozen(kw_only=True)
class Acquaintance:
    """What is known of a node of the dialler's name."""

    incarnation: str
    session: str | None
    connected: bool
    confirmed: bool
    """the connection that stands is in use; else that node has dialled it, and is to confirm it"""


def shared_features(settings: Mapping[str, str]) -> dict[str, str]:
    """The features that both ends have, from what one says of itself."""
    return {key: value for key, value in FEATURES.items() if settings.get(key) == value}


def judge(
    hello: Hello, *, node: str, incarnation: str, known: Acquaintance | None, past: Container[str]
) -> Refusal | None:
    """What the listener says to a hello with the right token; None: welcome.

    `past` are incarnations of other nodes that are over.
    """
    if hello.protocol != PROTOCOL:
        text = f"this node speaks protocol {PROTOCOL}, you speak {hello.protocol}: run the same version"
        return Refusal(Reason.PROTOCOL_MISMATCH, text)
    for key, value in SETTINGS.items():
        if hello.settings.get(key) != value:
            text = f"{key} must be {value!r} and is {hello.settings.get(key)!r:.80}: run the same version"
            return Refusal(Reason.SETTINGS_MISMATCH, text)
    return _judge_node(hello, node, past) or _judge_session(hello, node, incarnation, known)


def _judge_node(said: Hello | Welcome, node: str, past: Container[str]) -> Refusal | None:
    """What both ends ask of the other one."""
    try:
        check_name(said.node)
    except InvalidName as error:
        return Refusal(Reason.BAD_NAME, str(error))
    if said.node == node:
        text = f"both nodes are named {node!r}: give one of them another name"
        return Refusal(Reason.SAME_NAME, text)
    if not SHORTEST_LEASE <= said.lease < math.inf:
        text = f"a lease is in seconds, {SHORTEST_LEASE} or more and finite, not {said.lease}"
        return Refusal(Reason.SETTINGS_MISMATCH, text)
    if not 1 <= len(said.incarnation) <= _LONGEST:
        return Refusal(Reason.BAD_NAME, f"an incarnation has 1 to {_LONGEST} characters")
    if said.incarnation in past:
        text = f"a later life of {said.node!r} was linked with {node!r}: this one is over, so end its process"
        return Refusal(Reason.OLD_INCARNATION, text, node)
    return None


def _judge_session(hello: Hello, node: str, incarnation: str, known: Acquaintance | None) -> Refusal | None:
    resume = hello.resume
    if resume is not None:
        same = known is not None and (
            known.incarnation == hello.incarnation
            and known.session == resume.session
            and resume.incarnation == incarnation
        )
        if not same:
            return Refusal(Reason.SESSION_GONE, "this session is not known here: begin a new one", node)
        return None
    if known is None or not known.connected:
        return None
    if known.incarnation != hello.incarnation:
        text = f"another node named {hello.node!r} is linked here: give this one another name"
        return Refusal(Reason.NAME_TAKEN, text, node)
    return Refusal(Reason.ALREADY_LINKED, f"{hello.node!r} is linked here already: use that link", node)


def judge_welcome(
    welcome: Welcome, *, node: str, known: Acquaintance | None, past: Container[str], resuming: str | None
) -> Refusal | None:
    """What the dialler makes of a welcome; None: confirm it.

    `resuming` is the session that it asked for.
    """
    wrong = _judge_node(welcome, node, past)
    if wrong is not None:
        return wrong
    if welcome.resumed != (resuming is not None) or (welcome.resumed and welcome.session != resuming):
        return Refusal(Reason.SESSION_GONE, "the answer is about another session: begin a new one")
    if known is None or not known.connected or welcome.resumed:
        return None
    if known.incarnation != welcome.incarnation:
        text = f"another node named {welcome.node!r} is linked here: give one of them another name"
        return Refusal(Reason.NAME_TAKEN, text, welcome.node)
    if not known.confirmed and node < welcome.node:
        return None
    text = f"{welcome.node!r} is linked here already: use that link"
    return Refusal(Reason.ALREADY_LINKED, text, welcome.node)
