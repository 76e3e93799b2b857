"""Tools that send and read: tell, ask, pending_replies, messages, reply, broadcast."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, NotRequired

import trio
from pydantic import Field
from typing_extensions import TypedDict

from actors.core.groups import outcomes_of
from actors.errors import Deadlock, Refused
from actors.mcp.asking import is_streamed, take_chunks, wait_for
from actors.mcp.faults import ToolFault, text_of
from actors.mcp.tool import Call, Tool
from actors.mcp.tools.shapes import Json, Limit, Message, Path, Seconds, Wait
from actors.messages import TicketReply
from actors.outcome import Outcome

if TYPE_CHECKING:
    from actors.core.ask import Pending
    from actors.core.ref import Ref
    from actors.mcp.agent import Letter

__all__ = ["TALKING"]

_MOST = 10_000


class Sent(TypedDict):
    """A message that is in the mailbox."""

    to: str
    waiting: Annotated[int, Field(description="How many messages wait there now.")]
    dropped_oldest: Annotated[
        bool, Field(description="The mailbox was full, and its oldest message was dropped for this one.")
    ]


class Replied(TypedDict):
    """A reply, or the id of a request whose reply comes by `pending_replies`."""

    to: str
    reply: NotRequired[Json]
    request: NotRequired[str]


class Reply(TypedDict):
    """How one request has ended."""

    request: str
    to: str
    ok: bool
    reply: NotRequired[Json]
    error: NotRequired[str]


class Replies(TypedDict):
    """Replies to what you have asked without waiting."""

    replies: list[Reply]
    open: Annotated[int, Field(description="How many requests still wait for their replies.")]


class OneLetter(TypedDict):
    """A message to you."""

    id: Annotated[int, Field(description="What `reply` answers it by.")]
    sender: Annotated[str | None, Field(description="The path of who sent it; None: no actor.")]
    message: Json
    needs_reply: Annotated[bool, Field(description="Somebody waits until you answer by `reply`.")]
    age: Annotated[float, Field(description="Seconds since it came.")]


class Letters(TypedDict):
    """Messages to you, the oldest first."""

    messages: list[OneLetter]
    left: Annotated[int, Field(description="How many more wait.")]


class Answered(TypedDict):
    """A reply that has gone out."""

    id: int
    to: str | None
    late: Annotated[bool, Field(description="Nobody waited for it any more.")]


class OneOutcome(TypedDict):
    """What came of a broadcast at one child."""

    path: str
    ok: bool
    reply: NotRequired[Json]
    error: NotRequired[str]


class Broadcast(TypedDict):
    """What came of a broadcast: one outcome for each child."""

    outcomes: list[OneOutcome]
    count: int
    ok: Annotated[int, Field(description="How many went well.")]


async def tell(
    call: Call,
    path: Path,
    message: Message,
    urgent: Annotated[bool, Field(description="Before all that waits.")] = False,
) -> Sent:
    """Put a message in an actor's mailbox, and go on. A full mailbox is an error, and so is an end.

    Not promised: that it is ever handled. Use `ask` to know, and `post` where it must not be lost.
    """
    await trio.lowlevel.checkpoint_if_cancelled()
    ref = call.house.find(path)
    if ref.cell.is_final:
        raise ToolFault(f"{ref.path} is ending, and takes no messages")
    lanes = ref.cell.lanes
    pushes_out = lanes.overflow == "drop_oldest" and not lanes.has_room
    if not ref.cell.tell(call.house.values.told(message, call.house.text_class(ref)), urgent):
        raise ToolFault(f"the mailbox of {ref.path} is full, and your message was dropped: try again later")
    await trio.lowlevel.cancel_shielded_checkpoint()
    return Sent(to=ref.path, waiting=ref.cell.depth, dropped_oldest=pushes_out)


async def ask(
    call: Call,
    path: Path,
    message: Message,
    timeout: Seconds = None,
    idle: Annotated[
        float | None,
        Field(
            description="Give up after so many seconds without a sign of life of the actor.",
            gt=0,
            allow_inf_nan=False,
        ),
    ] = None,
    wait: Annotated[bool, Field(description="Wait for the reply; false: return an id at once.")] = True,
) -> Replied:
    """Send a request to an actor, and wait for its reply; others work meanwhile.

    With wait=false the reply comes by `pending_replies`. While you wait, signs of life come as notifications
    of progress, and so do the chunks of a stream. If you cancel, the request is withdrawn, and a handler that
    has begun is interrupted.
    """
    await trio.lowlevel.checkpoint_if_cancelled()
    ref = call.house.find(path)
    request = call.house.values.asked(message, call.house.text_class(ref))
    if ref == call.agent.ctx.ref and wait:
        raise Deadlock(ref, request)
    if not wait and len(call.agent.open) >= _MOST:
        raise ToolFault(f"{_MOST} requests of yours are open: take replies by `pending_replies` first")
    if wait and is_streamed(request):
        chunks = await take_chunks(call, ref, request, timeout, idle)
        return Replied(to=ref.path, reply=call.house.values.out(chunks))
    pending = ref.request(request, timeout=timeout)
    if wait:
        return Replied(to=ref.path, reply=call.house.values.out(await wait_for(call, ref, pending, idle)))
    name = f"r{pending.id}"
    call.agent.open[name] = pending
    await trio.lowlevel.cancel_shielded_checkpoint()
    return Replied(to=ref.path, request=name)


async def pending_replies(call: Call, wait: Wait = 0.0) -> Replies:
    """Take the replies to what you have asked with wait=false, and their errors; each comes once.

    [] where none has come in time. Only replies to you.
    """
    await trio.lowlevel.checkpoint_if_cancelled()
    done = await call.agent.replies(wait)
    found = [_ended(call, name, one) for name, one in done]
    return Replies(replies=found, open=len(call.agent.open))


def _ended(call: Call, name: str, pending: Pending[Any]) -> Reply:
    to = pending.cell.path
    try:
        value = pending.take()
    except Exception as error:  # whatever it is, it is what became of this request alone
        return Reply(request=name, to=to, ok=False, error=text_of(error) or type(error).__name__)
    return Reply(request=name, to=to, ok=True, reply=call.house.values.out(value))


async def messages(call: Call, wait: Wait = 0.0, limit: Limit = 100) -> Letters:
    """Take the messages that others have sent you, the oldest first; each comes once."""
    await trio.lowlevel.checkpoint_if_cancelled()
    taken = await call.agent.take(wait, limit)
    now = call.house.kernel.now()
    return Letters(messages=[_shown(call, one, now) for one in taken], left=len(call.agent.letters))


def _shown(call: Call, letter: Letter, now: float) -> OneLetter:
    said = letter.message
    if isinstance(said, TicketReply):
        error = None if said.error is None else text_of(said.error) or type(said.error).__name__
        shown: Any = {"ticket": said.ticket_id, "reply": call.house.values.out(said.value), "error": error}
    else:
        shown = call.house.values.out(said)
    return OneLetter(
        id=letter.number,
        sender=None if letter.sender is None else letter.sender.path,
        message=shown,
        needs_reply=letter.is_open,
        age=now - letter.at,
    )


async def reply(
    call: Call,
    id: Annotated[int, Field(description="The id of the message, as `messages` gave it.")],
    value: Annotated[Json, Field(description="The reply: any JSON.")] = None,
    error: Annotated[str | None, Field(description="Instead of a reply: why you refuse the request.")] = None,
) -> Answered:
    """Answer a message that needs a reply. Once for each."""
    await trio.lowlevel.checkpoint_if_cancelled()
    letter = call.agent.unanswered.get(id)
    if letter is None or letter.port is None:
        waiting = ", ".join(map(str, call.agent.unanswered)) or "none"
        raise ToolFault(f"no message {id} of yours waits for a reply; waiting: {waiting}")
    given = call.house.values.given(value)
    del call.agent.unanswered[id]
    late = letter.asked is not None and letter.asked.done
    if error is None:
        letter.port.answer(given)
    else:
        letter.port.fail(Refused(error))
    await trio.lowlevel.cancel_shielded_checkpoint()
    return Answered(id=id, to=None if letter.sender is None else letter.sender.path, late=late)


async def broadcast(
    call: Call,
    message: Message,
    timeout: Annotated[
        float | None,
        Field(
            description="Seconds for each child's reply; without it there is no limit.",
            ge=0,
            allow_inf_nan=False,
        ),
    ] = None,
    ask: Annotated[
        bool, Field(description="Ask a text, and wait for replies; objects that are requests always are.")
    ] = False,
) -> Broadcast:
    """Tell or ask all your children at once: one outcome for each. One that fails stops no other."""
    values, refs = call.house.values, call.agent.children
    outcomes: dict[Ref, Outcome] = {}

    def given(text: type | None) -> Any:
        return values.asked(message, text) if ask and isinstance(message, str) else values.told(message, text)

    async def one(ref: Ref) -> None:
        outcomes.update(await outcomes_of((ref,), given(call.house.text_class(ref)), timeout))

    given(None)  # what is wrong with the message is said once, and nobody is told
    async with trio.open_nursery() as nursery:
        for ref in refs:
            nursery.start_soon(one, ref)
    await trio.lowlevel.checkpoint()
    found = [_outcome(call, ref.path, outcomes[ref]) for ref in refs if ref in outcomes]
    return Broadcast(outcomes=found, count=len(found), ok=sum(one["ok"] for one in found))


def _outcome(call: Call, path: str, outcome: Outcome) -> OneOutcome:
    if outcome.ok:
        return OneOutcome(path=path, ok=True, reply=call.house.values.out(outcome.value))
    error = outcome.error
    said = "" if error is None else text_of(error) or type(error).__name__
    return OneOutcome(path=path, ok=False, error=said)


TALKING = (
    Tool(tell, title="Tell an actor"),
    Tool(ask, title="Ask an actor"),
    Tool(pending_replies, title="Take replies"),
    Tool(messages, title="Read your messages"),
    Tool(reply, title="Answer a message"),
    Tool(broadcast, title="Tell or ask all children"),
)
