"""What two nodes say to each other: the frames of a connection and the items of a session. Pure.

Each class is one kind; its `KIND` is the "k" on the wire, described with an example in
docs/protocol.md. `m`, `v` and `args` are JSON values of the codec, still coded: who passes an
item on need not know the classes in it.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

import attrs

from actors.remote.handshake import Refusal
from actors.remote.session import Received

__all__ = ["FRAMES", "ITEMS", "OWN", "Address", "Beat", "Bye", "Items", "Key"]

Coded = Any
"""A JSON value of the codec."""
RefOut = list[Any]
"""A ref on the wire: [node, incarnation, path, serial] and, where it runs elsewhere, that node."""

Key = tuple[str, int, tuple[str, str] | None]
"""An address as the key of a table."""


@attrs.frozen
class Address:
    """An actor of the node that gets the item, or of one that this node has a link to."""

    path: str
    life: int = 0
    """its serial number; 0: whoever lives at the path when the item comes"""
    node: tuple[str, str] | None = None
    """[name, incarnation] of a third node that it lives on"""

    @property
    def key(self) -> Key:
        """The same as something that can stand in a table."""
        return self.path, self.life, self.node

    @classmethod
    def of(cls, key: Key) -> Address:
        """The address with this key."""
        return cls(*key)


OWN: Final = 0
"""The number of the facts that nobody has subscribed to: they are about the receiver's own children."""


# --- frames ----------------------------------------------------------------------


@attrs.frozen
class Items:
    """Items of both lanes, each with the number of its first, and what the sender has."""

    KIND: ClassVar[str] = "items"

    ack: Received
    c: tuple[int, list[Any]] = (0, [])
    d: tuple[int, list[Any]] = (0, [])


@attrs.frozen
class Beat:
    """A sign of life: the sender's time, the newest time it has seen, what it has sent and has."""

    KIND: ClassVar[str] = "beat"

    time: float
    echo: float | None
    sent: Received
    ack: Received


@attrs.frozen
class Bye:
    """The sender closes for good."""

    KIND: ClassVar[str] = "bye"

    reason: str = ""
    final: bool = False
    """The link was closed by hand: whoever has dialled does not dial again."""


FRAMES: Final[dict[str, type]] = {kind.KIND: kind for kind in (Items, Beat, Bye)} | {"refused": Refusal}


# --- messages ----------------------------------------------------------------------


@attrs.frozen
class Tell:
    """A told message; costs its sender one credit."""

    KIND: ClassVar[str] = "tell"

    to: Address
    m: Coded
    sender: RefOut | None = None
    urgent: bool = False
    trace: str | None = None
    """its place in a trace, as W3C's `traceparent`"""


@attrs.frozen
class Ask:
    """A request; `left` is how many seconds its asker still waits. Costs one credit."""

    KIND: ClassVar[str] = "ask"

    id: int
    to: Address
    m: Coded
    sender: RefOut | None = None
    left: float | None = None
    trace: str | None = None
    window: int | None = None
    """it wants the answer in chunks, and so many may wait for it"""


@attrs.frozen
class Reply:
    """The answer to an ask or a call."""

    KIND: ClassVar[str] = "reply"

    id: int
    v: Coded = None
    end: bool = False
    """the chunks that came before were all of it"""


@attrs.frozen
class Chunk:
    """A part of the answer to an ask with a window, which `reply` or `fail` ends. Costs one of the window."""

    KIND: ClassVar[str] = "chunk"

    id: int
    v: Coded = None


@attrs.frozen
class Taken:
    """So many chunks were taken by whoever asked."""

    KIND: ClassVar[str] = "taken"

    id: int
    count: int


@attrs.frozen
class Fail:
    """An ask or a call that ended without an answer."""

    KIND: ClassVar[str] = "fail"

    id: int
    error: Trouble


@attrs.frozen
class Trouble:
    """An error as text: never an object, never a class to import."""

    kind: str
    """which error of ours the asker gets"""
    type: str = ""
    text: str = ""
    traceback: str = ""
    failure: str | None = None
    """the failure kind that the other end makes of it"""
    retry_after: float | None = None
    count: float = 0.0
    """failures of a breaker, capacity of a mailbox"""
    exit: Ended | None = None
    budget: list[Any] | None = None
    """of a spent budget: the resource, the limit, what is spent, and the path"""


@attrs.frozen
class Ended:
    """An exit."""

    kind: str
    reason: str
    v: Coded = None
    error: Trouble | None = None


@attrs.frozen
class Cancel:
    """The asker has left: skip the request if it still waits, and send no reply."""

    KIND: ClassVar[str] = "cancel"

    id: int


@attrs.frozen
class Credit:
    """Credits given back for one actor."""

    KIND: ClassVar[str] = "credit"

    to: Address
    n: int


# --- actors --------------------------------------------------------------------------


@attrs.frozen
class Order:
    """stop, drain, kill, suspend, suspend-once, resume."""

    KIND: ClassVar[str] = "order"

    to: Address
    order: str


@attrs.frozen
class Watch:
    """Say `gone` when this actor is, at once if it is not there."""

    KIND: ClassVar[str] = "watch"

    to: Address


@attrs.frozen
class Gone:
    """An actor that the receiver has a ref of, or watches, has ended for good."""

    KIND: ClassVar[str] = "gone"

    to: Address
    exit: Ended


@attrs.frozen
class State:
    """What an actor is doing that has had a request of the receiver's since the last beat."""

    KIND: ClassVar[str] = "state"

    to: Address
    state: str


@attrs.frozen
class Unread:
    """A told message could not be read, or an order is not allowed: for the sender's log."""

    KIND: ClassVar[str] = "unread"

    to: Address
    why: str


@attrs.frozen
class Call:
    """A question to the node itself: find, tree, interrupt, started, subscribe, unsubscribe."""

    KIND: ClassVar[str] = "call"

    id: int
    what: str
    to: Address | None = None
    args: list[Coded] = attrs.field(factory=list[Any])


@attrs.frozen
class Fact:
    """An event of the sender's, for a subscription of the receiver's."""

    KIND: ClassVar[str] = "fact"

    id: int
    event: str
    ago: float
    ref: RefOut | None = None
    facts: dict[str, Coded] = attrs.field(factory=dict[str, Any])


@attrs.frozen
class Join:
    """An actor of the sender's has joined a group."""

    KIND: ClassVar[str] = "join"

    group: str
    ref: RefOut


@attrs.frozen
class Leave:
    """It has left it."""

    KIND: ClassVar[str] = "leave"

    group: str
    ref: RefOut


# --- children over there -------------------------------------------------------------


@attrs.frozen
class Spawn:
    """Start one incarnation of a child of the sender's."""

    KIND: ClassVar[str] = "spawn"

    child: int
    what: str
    ref: RefOut
    parent: RefOut
    args: list[Coded] = attrs.field(factory=list[Any])
    options: dict[str, Coded] = attrs.field(factory=dict[str, Any])
    """arguments by name"""
    policy: dict[str, Any] = attrs.field(factory=dict[str, Any])
    watching: list[RefOut] = attrs.field(factory=list[Any])
    """what its former incarnation watched"""
    groups: list[str] = attrs.field(factory=list[str])
    """which it had joined"""
    grant: Grant | None = None
    """None: nothing bounds it"""


@attrs.frozen
class Grant:
    """What a child may spawn, when it is within the limits of a spawner."""

    depth: int
    """its own"""
    max_depth: int
    slots: int
    """how many may live: itself, and what it spawns"""


@attrs.frozen
class Do:
    """A message for a child; answered by `done`."""

    KIND: ClassVar[str] = "do"

    child: int
    n: int
    m: Coded
    sender: RefOut | None = None
    asked: bool = False
    left: float | None = None
    urgent: bool = False
    trace: str | None = None
    window: int | None = None
    """as in `ask`"""


@attrs.frozen
class Undo:
    """The asker has left: skip this message if it still waits."""

    KIND: ClassVar[str] = "undo"

    child: int
    n: int


@attrs.frozen
class ChildOrder:
    """As `order`, for a child; also halt and interrupt."""

    KIND: ClassVar[str] = "child-order"

    child: int
    order: str


@attrs.frozen
class Ready:
    """The child's start has succeeded."""

    KIND: ClassVar[str] = "ready"

    child: int


@attrs.frozen
class Done:
    """The child has handled a message."""

    KIND: ClassVar[str] = "done"

    child: int
    n: int
    v: Coded = None
    error: Trouble | None = None
    end: bool = False
    """as in `reply`"""


@attrs.frozen
class Answer:
    """The child answers a request while it goes on with it, or one that it had put off."""

    KIND: ClassVar[str] = "answer"

    child: int
    n: int
    v: Coded = None
    error: Trouble | None = None
    end: bool = False


@attrs.frozen
class ChildChunk:
    """As `chunk`, of a child's answer."""

    KIND: ClassVar[str] = "child-chunk"

    child: int
    n: int
    v: Coded = None


@attrs.frozen
class ChildTaken:
    """As `taken`, of a child's chunks."""

    KIND: ClassVar[str] = "child-taken"

    child: int
    n: int
    count: int


@attrs.frozen
class Later:
    """The child will answer this one later; `done` still follows."""

    KIND: ClassVar[str] = "later"

    child: int
    n: int


@attrs.frozen
class Stirred:
    """The child was interrupted, or there was nothing to interrupt."""

    KIND: ClassVar[str] = "stirred"

    child: int
    confirmed: bool


@attrs.frozen
class Fell:
    """The child's incarnation has ended; `hand` is the message that it had in hand, the oldest one."""

    KIND: ClassVar[str] = "fell"

    child: int
    exit: Ended
    hand: int | None = None
    watching: list[RefOut] = attrs.field(factory=list[Any])
    """what it watched, for its next incarnation"""
    beside: list[int] = attrs.field(factory=list[int])
    """the other messages that it had in hand, oldest first, where it may have several at once"""


@attrs.frozen
class Quits:
    """The child ends by itself after the message in hand."""

    KIND: ClassVar[str] = "quits"

    child: int


@attrs.frozen
class Spent:
    """The child, or what it has over there, has spent this; money as it is written."""

    KIND: ClassVar[str] = "spent"

    child: int
    tokens: int = 0
    money: str = "0"
    tool_calls: int = 0
    spawns: int = 0


@attrs.frozen
class Resumed:
    """The child was suspended until a message comes, and one came to it over there."""

    KIND: ClassVar[str] = "resumed"

    child: int


@attrs.frozen
class Over:
    """Nothing of the child is left over there."""

    KIND: ClassVar[str] = "over"

    child: int


@attrs.frozen
class Alive:
    """Signs of life of children: [child, seconds ago] each."""

    KIND: ClassVar[str] = "alive"

    children: list[tuple[int, float]]


ITEMS: Final[dict[str, type]] = {
    kind.KIND: kind
    for kind in (
        Tell, Ask, Reply, Chunk, Taken, Fail, Cancel, Credit, Order, Watch, Gone, State, Unread, Call, Fact,
        Join, Leave, Spawn, Do, Undo, ChildOrder, Ready, Done, Answer, ChildChunk, ChildTaken, Later, Stirred,
        Quits, Resumed, Spent, Fell, Over, Alive,
    )
}  # fmt: skip
