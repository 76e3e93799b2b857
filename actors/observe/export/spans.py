"""Spans for what the actors of a system do: handling a message, asking, running a function or job.

An actor's task has the context of its spawn, whoever's message it handles. So a message brings its own: its
stamp, the time at which it came in, knows the span in which it was sent (see `actors.core.tracing`). A
handler is traced by giving its cell another recipe, whose handlers are wrapped. Where nobody traces, none
of this is there.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar, cast
from weakref import WeakKeyDictionary, WeakSet

import attrs
from opentelemetry import context as contexts
from opentelemetry.context import Context as Trace
from opentelemetry.trace import (
    Span,
    SpanKind,
    TracerProvider,
    get_current_span,
    get_tracer,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from actors.core import orders as order
from actors.core.ask import Pending
from actors.core.context import Context, Inbox
from actors.core.dispatch import Handler
from actors.core.mailbox import ASKED, MARK, MESSAGE, POSTED, SENDER, SINCE, Item
from actors.core.recipe import Recipe
from actors.errors import SystemClosed
from actors.events import Event
from actors.observe.export.reach import cells_of, root_of
from actors.observe.export.span import begin_span, end_span

if TYPE_CHECKING:
    from actors.core.cell import Cell
    from actors.core.kernel import Kernel
    from actors.system import System

__all__ = ["Tracing", "trace"]

P = TypeVar("P", bound="Pending[Any]")
_TICKETS: Final = 10_000
"""Posted messages whose traces are known, the last ones."""
_W3C: Final = TraceContextTextMapPropagator()
_HEADER: Final = "traceparent"
_NO_TRACE: Final = Trace()
_OURS: Final = "/system"


class _Stamp(float):
    """The time at which a message came in, and the trace that it belongs to."""

    __slots__ = ("trace",)

    trace: Trace


class Tracing:
    """The tracing of one system, begun by `trace`. Ends with the system, by `stop()`, or with its block."""

    def __init__(self, kernel: Kernel, provider: TracerProvider | None) -> None:
        self._kernel = kernel
        self._tracer = get_tracer("actors", tracer_provider=provider)
        self._stamp = kernel.stamp
        self._recipes: WeakKeyDictionary[Recipe, Recipe] = WeakKeyDictionary()
        self._made: WeakSet[Recipe] = WeakSet()
        self._kinds: dict[type[Pending[Any]], type[Pending[Any]]] = {}
        self._tickets: OrderedDict[str, str] = OrderedDict()
        self._on = True

    def __repr__(self) -> str:
        return f"<Tracing of {self._kernel.name!r}, {'on' if self._on else 'off'}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """No more spans begin. Idempotent; what has begun ends as it would."""
        if not self._on:
            return
        self._on = False
        self._kernel.tracer = None
        self._kernel.stamp = self._stamp
        self._kernel.sink.detach(self)
        for cell in cells_of(self._kernel):
            cell.stamp = self._stamp
            cell.pending_class = cell.request_class

    # --- as a subscriber: only to hear of the end ---

    def takes(self, kind: type[Event]) -> bool:
        """See `Subscriber`: no event."""
        return False

    def put(self, event: Event) -> None:
        """See `Subscriber`."""

    def close(self) -> None:
        """See `Subscriber`: the system has closed."""
        self.stop()

    # --- as the kernel's tracer ---

    def begin(self) -> None:
        """Trace what lives, and what comes."""
        self._kernel.tracer = self
        self._kernel.stamp = self._stamped
        self._kernel.sink.attach(self)
        for cell in cells_of(self._kernel):
            self.spawned(cell)
            cell.orders |= order.RENEWED

    def spawned(self, cell: Cell) -> None:
        """See `Tracer`."""
        cell.stamp = self._stamped
        cell.pending_class = self.pending(cell.request_class)
        if cell.ref.path.startswith(_OURS) or cell.recipe in self._made:
            return
        recipe = self._recipes.get(cell.recipe)
        if recipe is None:
            recipe = self._recipes[cell.recipe] = self._traced(cell.recipe)
            self._made.add(recipe)
        cell.recipe = recipe

    def pending(self, kind: type[P]) -> type[P]:
        """See `Tracer`."""
        found = self._kinds.get(kind)
        if found is None:
            found = self._kinds[kind] = _traced_kind(kind, self)
        return cast("type[P]", found)

    def outgoing(self, asked: Pending[Any] | None = None, since: float | None = None) -> str | None:
        """See `Tracer`."""
        carrier: dict[str, str] = {}
        found = _found(asked, since)
        if found is None:  # of this step; what waited in a mailbox is handed on in the step of somebody else
            found = contexts.get_current() if since is None else _NO_TRACE
        _W3C.inject(carrier, found)
        return carrier.get(_HEADER)

    @contextmanager
    def arriving(self, trace: str) -> Generator[None]:
        """See `Tracer`."""
        token = contexts.attach(_W3C.extract({_HEADER: trace}, _NO_TRACE))
        try:
            yield
        finally:
            contexts.detach(token)

    def posted(self, ticket_id: str) -> None:
        """See `Tracer`."""
        trace = self.outgoing()
        if trace is not None:
            self._tickets[ticket_id] = trace
            if len(self._tickets) > _TICKETS:
                self._tickets.popitem(last=False)

    def posting(self, ticket_id: str) -> str | None:
        """See `Tracer`."""
        return self._tickets.get(ticket_id)

    # --- stamps ---

    def _stamped(self) -> float:
        now = self._stamp()
        trace = contexts.get_current()
        if not get_current_span(trace).get_span_context().is_valid:
            return now
        stamp = _Stamp(now)
        stamp.trace = trace
        return stamp

    # --- spans ---

    def span(self, name: str, kind: SpanKind, facts: dict[str, str], within: Trace | None = None) -> Span:
        """Begin a span; by default it belongs to that of the running step."""
        facts = {"actors.system": self._kernel.name, **facts}
        return begin_span(self._tracer, name, kind, facts, within)

    def _handling(self, cell: Cell, item: Item) -> tuple[Span, object]:
        """Begin the span of a message in hand, and let the running step be within it."""
        message, sender = item[MESSAGE], item[SENDER]
        facts = {"actors.path": cell.ref.path, "actors.message": _name_of(message)}
        if sender is not None:
            facts["actors.sender"] = sender.path
        told = item[ASKED] is None or item[ASKED].is_told or item[MARK] is POSTED
        kind = SpanKind.CONSUMER if told else SpanKind.SERVER
        within = _found(item[ASKED], item[SINCE]) or _NO_TRACE
        span = self.span(f"{cell.recipe.name}.handle {type(message).__name__}", kind, facts, within)
        return span, contexts.attach(set_span_in_context(span, within))

    # --- recipes ---

    def _traced(self, recipe: Recipe) -> Recipe:
        if recipe.actor_class is not None:
            table = {kind: handler and self._handler(handler) for kind, handler in recipe.table.items()}
            return attrs.evolve(recipe, table=table)
        if recipe.kind not in ("function", "process"):
            return attrs.evolve(recipe)  # its run is somewhere else
        return attrs.evolve(recipe, call=self._call(recipe), base=recipe.base or recipe)

    def _handler(self, handler: Handler) -> Handler:
        function, is_async = handler
        return (self._async_handler if is_async else self._plain_handler)(function), is_async

    def _plain_handler(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def handle(actor: Any, message: Any) -> Any:
            cell = actor.ctx.cell
            if not self._on or cell.item is None:
                return function(actor, message)
            span, token = self._handling(cell, cell.item)
            try:
                value = function(actor, message)
            except BaseException as error:
                end_span(span, error)
                raise
            finally:
                contexts.detach(cast("Any", token))
            if value.__class__ is CoroutineType:  # it wraps an async one
                return _rest(value, span)
            end_span(span)
            return value

        return handle

    def _async_handler(self, function: Callable[..., Any]) -> Callable[..., Any]:
        async def handle(actor: Any, message: Any) -> Any:
            cell = actor.ctx.cell
            if not self._on or cell.item is None:
                return await function(actor, message)
            span, token = self._handling(cell, cell.item)
            try:
                value = await function(actor, message)
            except BaseException as error:
                end_span(span, error)
                raise
            finally:
                contexts.detach(cast("Any", token))
            end_span(span)
            return value

        return handle

    def _call(self, recipe: Recipe) -> Callable[..., Any]:
        async def run(ctx: Context, *args: Any) -> Any:
            if not self._on:
                return await recipe.call(ctx, *args)
            span = self.span(f"{recipe.name}.run", SpanKind.INTERNAL, {"actors.path": ctx.ref.path})
            within = set_span_in_context(span)
            token = contexts.attach(within)
            inbox = _TracedInbox(ctx, self, within)
            ctx.take_inbox(inbox)
            try:
                value = await recipe.call(ctx, *args)
            except BaseException as error:
                inbox.over(error)
                end_span(span, error)
                raise
            finally:
                contexts.detach(token)
            inbox.over()
            end_span(span)
            return value

        run.__name__ = run.__qualname__ = recipe.name
        return run

    def taken(self, cell: Cell) -> Span | None:
        """A function has taken a message from its inbox: the span, which the running step is now within."""
        return self._handling(cell, cell.item)[0] if self._on and cell.item is not None else None


class _TracedInbox(Inbox):
    """An inbox whose messages have spans: each from its taking to that of the next one."""

    __slots__ = ("_cell", "_span", "_tracing", "_within")

    def __init__(self, context: Context, tracing: Tracing, within: Trace) -> None:
        super().__init__(context)
        self._cell = context.cell
        self._tracing = tracing
        self._within = within
        self._span: Span | None = None

    def over(self, error: BaseException | None = None) -> None:
        """The message in hand, if there is one, is handled, or was not."""
        span, self._span = self._span, None
        if span is not None:
            end_span(span, error)

    async def __anext__(self) -> Any:
        self.over()
        contexts.attach(self._within)  # not detached: the run's own token puts back what was before
        message = await super().__anext__()
        self._span = self._tracing.taken(self._cell)
        return message


async def _rest(handling: Coroutine[Any, Any, Any], span: Span) -> Any:
    """What a plain handler has left to be awaited, within its span."""
    token = contexts.attach(set_span_in_context(span))
    try:
        value = await handling
    except BaseException as error:
        end_span(span, error)
        raise
    finally:
        contexts.detach(token)
    end_span(span)
    return value


def _traced_kind(kind: type[Pending[Any]], tracing: Tracing) -> type[Pending[Any]]:
    """An open request of this kind with a span, from its beginning to its end."""

    class Traced(kind):
        __slots__ = ("span", "trace")

        def __init__(self, cell: Cell, request: object, asker: Cell | None, *more: Any) -> None:
            super().__init__(cell, request, asker, *more)
            facts = {"actors.path": cell.path, "actors.node": cell.node, "actors.message": _name_of(request)}
            self.span = tracing.span(f"ask {type(request).__name__}", SpanKind.CLIENT, facts)
            self.trace = set_span_in_context(self.span)

        def _end(self, error: BaseException | None) -> None:
            super()._end(error)
            end_span(self.span, error)

    Traced.__name__, Traced.__qualname__ = kind.__name__, kind.__qualname__
    return Traced


def _found(asked: Pending[Any] | None, since: float | None) -> Trace | None:
    """The trace that a message belongs to: that of its request, or the one in which it was told."""
    return getattr(asked, "trace", None) or getattr(since, "trace", None)


def _name_of(message: object) -> str:
    kind = type(message)
    return f"{kind.__module__}.{kind.__qualname__}"


def trace(system: System, tracer_provider: TracerProvider | None = None) -> Tracing:
    """Trace a system until it closes: spans for handling, asking and running, in one trace over all of them.

    A span `Till.handle Order` for each message that a handler takes, or a function from its inbox; `ask
    Order` from a request to its end, on the side of whoever asks; `fetch.run` for the run of a function, a
    process or a job. Each belongs to the span in which the message was told, asked or posted, or the
    actor spawned, also over links; without one it begins a trace of its own. What raises or is cancelled
    has the status ERROR.

    `tracer_provider` is the global one by default. Never blocks. Actors that run already are traced from
    their next message on, functions from their next run. The framework's own are not traced. Raises
    RuntimeError where the system is traced already, and `SystemClosed`.

    Not promised: that a posted message keeps its trace when its node starts again, or a timer's ever.
    """
    root = root_of(system)
    if root.is_gone:
        raise SystemClosed(system.name)
    if root.kernel.tracer is not None:
        raise RuntimeError(f"{system.name!r} is traced already: stop() that tracing first")
    tracing = Tracing(root.kernel, tracer_provider)
    tracing.begin()
    return tracing
