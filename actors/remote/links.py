"""The tasks of the links: listeners, connections that came in, diallers. Each is an actor function.

A connection that came in runs without a name: its failure touches nobody, and its end is
the dialler's to mend. A dialler has a loop of its own, as whoever has dialled dials again.
"""

from __future__ import annotations

import errno
import hmac
import itertools
import logging
import ssl
from collections.abc import Callable, Collection
from functools import partial
from typing import Final

import attrs
import trio

from actors.core.context import Context
from actors.errors import LinkRefused, NodeUnreachable, SystemClosed
from actors.policy import Backoff, Policy
from actors.remote.association import Association
from actors.remote.conversation import HANDSHAKE, Conversation
from actors.remote.handshake import (
    PROTOCOL,
    Hello,
    Reason,
    Refusal,
    Resume,
    Welcome,
    judge,
    judge_welcome,
    shared_features,
)
from actors.remote.jsontext import BadFrame
from actors.remote.node import Node
from actors.remote.session import SessionFault
from actors.remote.transport import Wire, WireBroken, WireRefused, accepted, address_of, dialled
from actors.remote.wire import decode_handshake, encode
from actors.supervision.backoff import Retreat

__all__ = ["LINK_POLICY", "Gate", "Target", "answer", "dial", "listen_on"]

LINK_POLICY = Policy(restart="temporary", breaker=None, shutdown=2.0)
"""What listeners, diallers and connections run under."""
_STRANGERS: Final = 64
"""Connections that have not shaken hands yet; one more, and the oldest has to go."""
_CROWD: Final = "too many connections that have said nothing"
_BUSY: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS})
_BREATH: Final = 0.1
_log = logging.getLogger("actors.remote")
_AGAIN = Backoff(initial=0.1, maximum=2.0, factor=1.6, jitter=0.3)
_FINAL: Final = frozenset(
    {
        Reason.UNAUTHORIZED,
        Reason.PROTOCOL_MISMATCH,
        Reason.SETTINGS_MISMATCH,
        Reason.BAD_NAME,
        Reason.SAME_NAME,
        Reason.OLD_INCARNATION,
        Reason.FORBIDDEN_ORIGIN,
    }
)
"""Refusals that another try would not change."""


# --- those who come -------------------------------------------------------------------


@attrs.define(eq=False)
class Gate:
    """Who may come in at one listener."""

    node: Node
    token: str | None
    origins: Collection[str]
    max_message: int
    strangers: dict[trio.CancelScope, None] = attrs.field(factory=dict[trio.CancelScope, None])

    def may_come(self, origin: str | None) -> bool:
        """Browsers only from the origins that were named; other programs send none."""
        return origin is None or origin in self.origins

    def enter(self) -> trio.CancelScope:
        """Another stranger; the one that has waited longest goes when there are too many."""
        scope = trio.CancelScope()
        self.strangers[scope] = None
        if len(self.strangers) > _STRANGERS:
            oldest = next(iter(self.strangers))
            del self.strangers[oldest]  # at once: a crowd may come before it has gone
            oldest.cancel()
        return scope

    def knows(self, token: str | None) -> bool:
        """Compare in a time that says nothing about the token."""
        if self.token is None:
            return True
        said = (token or "").encode(errors="surrogatepass")  # JSON may say halves of characters
        return hmac.compare_digest(said, self.token.encode(errors="surrogatepass"))


async def listen_on(ctx: Context, listeners: list[trio.abc.Listener[trio.abc.Stream]], gate: Gate) -> None:
    """Accept connections until it is stopped; each becomes an actor of its own."""
    async with trio.open_nursery() as nursery:
        for listener in listeners:
            nursery.start_soon(_accept, listener, gate)
        async for _ in ctx.inbox:
            pass
        nursery.cancel_scope.cancel()


async def _accept(listener: trio.abc.Listener[trio.abc.Stream], gate: Gate) -> None:
    """`trio.serve_listeners` closes a stream when its handler returns; these go on without it."""
    async with listener:
        while True:
            try:
                stream = await listener.accept()
            except OSError as error:
                if error.errno not in _BUSY:
                    raise
                _log.warning("cannot accept connections: %s", error)
                await trio.sleep(_BREATH)  # until files are closed; no event says when
                continue
            try:
                gate.node.links().spawn(partial(answer, stream=stream, gate=gate), policy=LINK_POLICY)
            except SystemClosed:
                await trio.aclose_forcefully(stream)


async def answer(ctx: Context, stream: trio.abc.Stream, gate: Gate) -> None:
    """One connection that came in, from its first byte to its end."""
    stranger, address = gate.enter(), address_of(stream)
    try:
        with stranger:
            async with accepted(stream, gate.may_come, HANDSHAKE) as wire:
                await _greet(ctx, wire, gate, stranger)
        if stranger.cancelled_caught:
            gate.node.refused(address, Reason.OVERLOADED, _CROWD)
    except WireRefused as refused:
        gate.node.refused(address, refused.reason, refused.text)
    except WireBroken as broken:
        gate.node.refused(address, "broken", broken.reason)
    finally:
        gate.strangers.pop(stranger, None)
        with trio.move_on_after(1, shield=True):
            await trio.aclose_forcefully(stream)


async def _greet(ctx: Context, wire: Wire, gate: Gate, stranger: trio.CancelScope) -> None:
    """Shake hands, and use the connection."""
    node = gate.node
    try:
        hello = await _first_frame(wire)
    except trio.Cancelled:
        if stranger.cancel_called:
            with trio.CancelScope(shield=True):
                await _turn_away(wire, Refusal(Reason.OVERLOADED, _CROWD))
        raise
    refusal = hello if isinstance(hello, Refusal) else _judged(hello, gate)
    if isinstance(hello, Refusal) or refusal is not None:
        assert refusal is not None
        await _turn_away(wire, refusal)
        node.refused(wire.peer, refusal.reason, refusal.text)
        return
    link = node.living(hello.node)
    if hello.resume is None or link is None:
        link = node.associate(
            hello.node,
            hello.incarnation,
            None,
            hello.lease,
            hello.spawnable,
            gate.max_message,
            hello.max_message,
            shared_features(hello.settings),
        )
    else:
        try:
            link.session.resume(hello.resume.received)
        except SessionFault as fault:
            await _turn_away(wire, Refusal(Reason.BAD_NUMBERS, fault.reason))
            node.refused(wire.peer, Reason.BAD_NUMBERS, fault.reason)
            return
        link.vitality.greeted(ctx.cell.now())
    gate.strangers.pop(stranger, None)
    welcome = Welcome(
        node=node.name,
        incarnation=node.incarnation,
        session=link.session.id,
        received=link.session.received,
        resumed=hello.resume is not None,
        lease=node.lease,
        spawnable=tuple(node.spawnable),
        max_message=gate.max_message,
        settings=shared_features(hello.settings),
    )
    await _use(ctx, link, Conversation(link, wire, hello.node), lambda: encode(welcome))


def _judged(hello: Hello, gate: Gate) -> Refusal | None:
    node = gate.node
    if not gate.knows(hello.token):
        said = "a token is needed here" if hello.token is None else "the token is not the right one"
        return Refusal(Reason.UNAUTHORIZED, said)
    if node.kernel.closing:
        return Refusal(Reason.CLOSING, "this node closes")
    return judge(
        hello,
        node=node.name,
        incarnation=node.incarnation,
        known=node.acquaintance(hello.node),
        past=node.past,
    )


async def _first_frame(wire: Wire) -> Hello | Refusal:
    with trio.move_on_after(HANDSHAKE):
        try:
            said = decode_handshake(await wire.receive())
        except BadFrame as error:
            return Refusal(Reason.BAD_FRAME, str(error))
        except WireRefused as refused:
            return Refusal(refused.reason, refused.text)
        if isinstance(said, Hello):
            return said
        return Refusal(Reason.BAD_FRAME, "the first frame must be a hello")
    return Refusal(Reason.TOO_SLOW, f"no hello within {HANDSHAKE:g} s")


async def _turn_away(wire: Wire, refusal: Refusal) -> None:
    """Say why, and close."""
    with trio.move_on_after(1):
        try:
            await wire.send(encode(refusal))
        except WireBroken:
            return
    await wire.close(1008, str(refusal.reason))


async def _use(
    ctx: Context,
    link: Association,
    talk: Conversation,
    hello: Callable[[], str] | None,
    proved: float | None = None,
) -> Refusal | str:
    """Use a connection until it ends, or until the node closes."""
    link.take_over(talk)  # before anybody else is judged
    ended: Refusal | str = ""
    async with trio.open_nursery() as nursery:

        async def converse() -> None:
            nonlocal ended
            ended = await talk.run(ctx.cell.now() if proved is None else proved, hello)
            nursery.cancel_scope.cancel()

        nursery.start_soon(converse)
        async for _ in ctx.inbox:  # until it is to stop
            pass
        if talk.confirmed and not link.is_down:
            link.goodbye("the node closes")
            with trio.move_on_after(1):
                await link.over()
        nursery.cancel_scope.cancel()
    if isinstance(ended, Refusal):
        await _turn_away(talk.wire, ended)
        if ended.reason not in (Reason.REPLACED, Reason.CLOSING):
            link.node.refused(talk.wire.peer, ended.reason, ended.text)
    return ended


# --- those who go ---------------------------------------------------------------------


@attrs.define(eq=False)
class Target:
    """Where a dialler dials, and what came of its first attempt."""

    node: Node
    url: str
    token: str | None
    ssl_context: ssl.SSLContext | None
    max_message: int
    name: str | None = None
    """The node that answers there."""
    refused: LinkRefused | NodeUnreachable | None = None
    done: trio.Event = attrs.field(factory=trio.Event)

    def fail(self, error: LinkRefused | NodeUnreachable) -> None:
        """The first attempt failed."""
        self.refused = error
        self.done.set()


async def dial(ctx: Context, target: Target) -> None:
    """Connect, and connect again whenever the connection ends, until it is of no use."""
    retreat = Retreat()
    for attempt in itertools.count():
        began = ctx.cell.now()
        ended = await _dial_once(ctx, target)
        if ended is None or (attempt == 0 and target.refused is not None):
            return
        if ctx.cell.is_final:
            return
        alive = ctx.cell.now() - began
        delay = retreat.next(_AGAIN, alive, target.node.kernel.random.random())
        with trio.move_on_after(delay):
            async for _ in ctx.inbox:
                pass
            return


async def _dial_once(ctx: Context, target: Target) -> Refusal | str | None:
    """One attempt and what follows; None when another one is of no use."""
    try:
        with trio.move_on_after(HANDSHAKE) as limit:
            async with dialled(target.url, target.ssl_context) as wire:
                ended = await _present(ctx, wire, target, limit)
                return ended
    except WireBroken as broken:
        target.fail(NodeUnreachable(target.url, broken.reason))
        return broken.reason
    except WireRefused as refused:
        link = None if target.name is None else target.node.living(target.name)
        return _refused(Refusal(refused.reason, refused.text), target, link)
    target.fail(NodeUnreachable(target.url, f"no answer within {HANDSHAKE:g} s"))
    return "no answer"


async def _present(ctx: Context, wire: Wire, target: Target, limit: trio.CancelScope) -> Refusal | str | None:
    """Shake hands, and use the connection."""
    node = target.node
    link = None if target.name is None else node.living(target.name)
    resume = None
    if link is not None:
        resume = Resume(session=link.session.id, incarnation=link.incarnation, received=link.session.received)
    sent = ctx.cell.now()
    said = await _answer_to(_hello(target, resume), wire)
    limit.deadline = float("inf")
    if isinstance(said, Refusal):
        return _refused(said, target, link)
    wrong = judge_welcome(
        said,
        node=node.name,
        known=node.acquaintance(said.node),
        past=node.past,
        resuming=None if resume is None else resume.session,
    )
    if wrong is not None:
        await _turn_away(wire, wrong)
        return _refused(wrong, target, link)
    if link is None:
        link = node.associate(
            said.node,
            said.incarnation,
            said.session,
            said.lease,
            said.spawnable,
            target.max_message,
            said.max_message,
            shared_features(said.settings),
        )
    else:
        try:
            link.session.resume(said.received)
        except SessionFault as fault:
            link.give_up(fault.reason)
            await _turn_away(wire, Refusal(Reason.BAD_NUMBERS, fault.reason))
            return fault.reason
    target.name = said.node
    link.dialler = ctx.ref
    talk = Conversation(link, wire, node.name)
    talk.on_confirmed = target.done.set
    ended = await _use(ctx, link, talk, None, sent)
    return None if link.parted else ended


def _hello(target: Target, resume: Resume | None) -> Hello:
    node = target.node
    return Hello(
        protocol=PROTOCOL,
        node=node.name,
        incarnation=node.incarnation,
        token=target.token,
        lease=node.lease,
        spawnable=tuple(node.spawnable),
        max_message=target.max_message,
        resume=resume,
    )


async def _answer_to(hello: Hello, wire: Wire) -> Welcome | Refusal:
    await wire.send(encode(hello))
    try:
        said = decode_handshake(await wire.receive())
    except BadFrame as error:
        return Refusal(Reason.BAD_FRAME, str(error))
    return Refusal(Reason.BAD_FRAME, "a hello answered a hello") if isinstance(said, Hello) else said


def _refused(refusal: Refusal, target: Target, link: Association | None) -> Refusal | None:
    """What a refusal means for the dialler."""
    if refusal.reason is Reason.ALREADY_LINKED and target.node.living(refusal.node or "") and link is None:
        target.name = refusal.node  # the other end has dialled too, and its connection stands
        target.done.set()
        return None
    target.fail(LinkRefused(str(refusal.reason), refusal.text, target.url))
    if refusal.reason in _FINAL and target.name is not None:
        _log.warning("%r at %s is not dialled any more: %s", target.name, target.url, refusal)
    if link is not None and refusal.reason is not Reason.NAME_TAKEN:
        link.give_up(f"it refuses to go on ({refusal})")
    return None if refusal.reason in _FINAL else refusal
