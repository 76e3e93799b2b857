"""Spans: one trace through tell, ask, posted messages, jobs and links."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode, Tracer

import actors
from actors import Actor, Context, Job, Policy, Ref, Refused, Request, message, open_system, receive
from actors.delivery import SQLiteStore
from actors.observe.export.otel import trace


@message
class Order:
    item: str
    then: Ref | None = None


@message
class Price(Request[float]):
    item: str


class Spans:
    """What was exported, by name."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer: Tracer = self.provider.get_tracer("test")

    def all(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.exporter.get_finished_spans() if span.name == name]

    def one(self, name: str) -> Any:
        found = self.all(name)
        assert len(found) == 1, (name, [span.name for span in self.exporter.get_finished_spans()])
        return found[0]

    def chain(self, name: str) -> list[str]:
        """The names from a span up to the root of its trace."""
        by_id = {span.context.span_id: span for span in self.exporter.get_finished_spans() if span.context}
        span: ReadableSpan | None = self.one(name)
        names: list[str] = []
        while span is not None:
            names.append(span.name)
            span = None if span.parent is None else by_id[span.parent.span_id]
        return names


@pytest.fixture
def spans() -> Spans:
    return Spans()


class Till(Actor):
    """Its handlers wait for something: it has a task."""

    @receive
    async def sell(self, order: Order) -> None:
        await trio.lowlevel.checkpoint()
        if order.then is not None:
            order.then.tell(Order(order.item))

    @receive
    async def price(self, request: Price) -> float:
        await trio.lowlevel.checkpoint()
        if request.item == "tea":
            raise ValueError("no tea")
        if request.item == "cake":
            raise Refused("sold out")
        return 2.5


class Shelf(Actor):
    """Its handlers are plain: it has none."""

    @receive
    def sell(self, order: Order) -> None:
        if order.then is not None:
            order.then.tell(Order(order.item))

    @receive
    def price(self, request: Price) -> float:
        if request.item == "tea":
            raise ValueError("no tea")
        return 2.5


async def desk(ctx: Context, till: Ref) -> None:
    async for order in ctx.inbox:
        till.tell(Order(order.item))


async def asking(ctx: Context, till: Ref) -> float:
    return await till.ask(Price("bread"))


async def until(done: Callable[[], object]) -> None:
    while not done():
        await trio.testing.wait_all_tasks_blocked()


@pytest.mark.parametrize("kind", [Till, Shelf])
async def test_a_message_is_handled_in_the_trace_in_which_it_was_told(
    spans: Spans, kind: type[Actor]
) -> None:
    async with open_system("alpha") as system:
        trace(system, spans.provider)
        last = system.spawn(kind, name="last")
        first = system.spawn(kind, name="first")
        with spans.tracer.start_as_current_span("customer"):
            first.tell(Order("bread", last))
        first.tell(Order("no trace"))
        await until(lambda: len(spans.all(f"{kind.__name__}.handle Order")) == 3)
    handled = spans.all(f"{kind.__name__}.handle Order")
    one, other = (
        next(span for span in handled if span.attributes["actors.path"] == path and span.parent)
        for path in ("/first", "/last")
    )
    customer = spans.one("customer")
    assert one.parent.span_id == customer.context.span_id
    assert other.parent.span_id == one.context.span_id
    assert other.attributes["actors.sender"] == "/first"
    assert [span.attributes["actors.path"] for span in handled if not span.parent] == ["/first"]


@pytest.mark.parametrize("kind", [Till, Shelf])
async def test_an_ask_has_a_span_on_each_side(spans: Spans, kind: type[Actor]) -> None:
    async with open_system("alpha") as system:
        trace(system, spans.provider)
        till = await system.start(kind, name="till")
        with spans.tracer.start_as_current_span("customer"):
            assert await till.ask(Price("bread")) == 2.5
    assert spans.chain(f"{kind.__name__}.handle Price") == [
        f"{kind.__name__}.handle Price",
        "ask Price",
        "customer",
    ]
    assert spans.one("ask Price").attributes["actors.path"] == "/till"


@pytest.mark.parametrize("kind", [Till, Shelf])
async def test_an_error_is_the_status_of_both_sides(spans: Spans, kind: type[Actor]) -> None:
    async with open_system("alpha") as system:
        trace(system, spans.provider)
        till = await system.start(kind, policy=Policy(restart="temporary"))
        with pytest.raises(actors.ActorFailed):
            await till.ask(Price("tea"))
    handled, asked = spans.one(f"{kind.__name__}.handle Price"), spans.one("ask Price")
    assert (handled.status.status_code, handled.status.description) == (
        StatusCode.ERROR,
        "ValueError: no tea",
    )
    assert asked.status.status_code is StatusCode.ERROR
    assert handled.events[0].name == "exception"


async def test_a_refusal_is_an_answer_and_no_error_of_the_handler(spans: Spans) -> None:
    async with open_system("alpha") as system:
        trace(system, spans.provider)
        till = await system.start(Till)
        with pytest.raises(Refused):
            await till.ask(Price("cake"))
    assert spans.one("Till.handle Price").status.status_code is StatusCode.UNSET


class Slow(Actor):
    @receive
    async def sell(self, order: Order) -> None:
        await trio.sleep_forever()

    @receive
    async def price(self, request: Price) -> float:
        await trio.sleep_forever()
        return 0.0


async def test_spans_that_cancellation_ends_say_so(
    spans: Spans, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_system("alpha") as system:
        trace(system, spans.provider)
        slow = await system.start(Slow)
        with trio.move_on_after(1):
            await slow.ask(Price("bread"))
        assert await slow.interrupt()
        with pytest.raises(actors.AskTimeout):
            await slow.ask(Price("bread"), timeout=1)
        slow.kill()
        await slow.wait_stopped()
    assert [
        (span.name, span.status.status_code, span.status.description)
        for span in spans.exporter.get_finished_spans()
        if span.name == "Slow.handle Price"
    ] == [("Slow.handle Price", StatusCode.ERROR, "cancelled")] * 2
    left, late = spans.all("ask Price")
    assert left.status.description == "cancelled"
    assert late.status.description is not None
    assert late.status.description.startswith("AskTimeout")


class Wrapping(Actor):
    """A plain handler that hands out an async one's work."""

    @receive
    def sell(self, order: Order) -> Any:
        return self.work(order)

    async def work(self, order: Order) -> None:
        await trio.lowlevel.checkpoint()
        if order.then is not None:
            order.then.tell(Order("more"))


async def test_what_a_plain_handler_leaves_to_be_awaited_is_in_its_span(spans: Spans) -> None:
    async with open_system("alpha") as system:
        trace(system, spans.provider)
        shelf = system.spawn(Shelf)
        system.spawn(Wrapping).tell(Order("bread", shelf))
        await until(lambda: spans.all("Shelf.handle Order"))
    assert spans.chain("Shelf.handle Order") == ["Shelf.handle Order", "Wrapping.handle Order"]


async def test_a_function_has_a_span_for_its_run_and_for_each_message_of_its_inbox(spans: Spans) -> None:
    async with open_system("alpha") as system:
        trace(system, spans.provider)
        shelf = system.spawn(Shelf, name="shelf")
        ref = system.spawn(desk, shelf, name="desk")
        for number in range(2):
            with spans.tracer.start_as_current_span(f"customer {number}"):
                ref.tell(Order("bread"))
        await until(lambda: len(spans.all("Shelf.handle Order")) == 2)
    first, second = spans.all("desk.handle Order")
    assert first.parent is not None
    assert second.parent is not None
    assert first.parent.span_id == spans.one("customer 0").context.span_id
    assert second.parent.span_id == spans.one("customer 1").context.span_id
    parents = [span.parent.span_id for span in spans.all("Shelf.handle Order") if span.parent]
    assert parents == [first.context.span_id, second.context.span_id]
    assert spans.one("desk.run").attributes["actors.path"] == "/desk"


async def test_jobs_run_in_the_trace_of_whoever_runs_them(spans: Spans) -> None:
    async with open_system("alpha") as system:
        trace(system, spans.provider)
        till = await system.start(Till)
        with spans.tracer.start_as_current_span("batch"):
            [outcome] = await system.run_jobs([Job(asking, till)])
        assert outcome.unwrap() == 2.5
    assert spans.chain("Till.handle Price") == ["Till.handle Price", "ask Price", "asking.run", "batch"]


@pytest.mark.parametrize("durable", [False, True])
async def test_a_posted_message_is_handled_in_the_trace_in_which_it_was_posted(
    spans: Spans, tmp_path: Path, durable: bool
) -> None:
    store = SQLiteStore(tmp_path / "posts.db") if durable else None
    async with open_system("alpha", store=store) as system:
        trace(system, spans.provider)
        await system.start(Till, name="till")
        with spans.tracer.start_as_current_span("customer"):
            ticket = await system.post("/till", Price("bread"))
        assert await ticket.wait_reply() == 2.5
    assert spans.chain("Till.handle Price") == ["Till.handle Price", "customer"]
    assert spans.one("Till.handle Price").kind is SpanKind.CONSUMER


async def test_a_message_that_is_tried_again_stays_in_its_trace(
    spans: Spans, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_system("alpha") as system:
        trace(system, spans.provider)
        till = await system.start(Shelf, name="till", policy=Policy(retries=1))
        with spans.tracer.start_as_current_span("customer"), pytest.raises(actors.ActorFailed):
            await till.ask(Price("tea"))
    assert len({span.context.trace_id for span in spans.all("Shelf.handle Price") if span.context}) == 1
    assert len(spans.all("Shelf.handle Price")) == 2


async def test_one_trace_goes_over_links(spans: Spans) -> None:
    async with open_system("alpha") as alpha, open_system("beta") as beta:
        trace(alpha, spans.provider)
        trace(beta, spans.provider)
        await beta.start(Till, name="till")
        await beta.start(Shelf, name="shelf")
        listener = await beta.listen("127.0.0.1", 0)
        peer = await alpha.connect(listener.url)
        with spans.tracer.start_as_current_span("customer"):
            assert await peer.ref("/till").ask(Price("bread")) == 2.5
            peer.ref("/till").tell(Order("bread", await peer.find("/shelf")))
        with trio.fail_after(5):
            while not spans.all("Shelf.handle Order"):
                await trio.lowlevel.checkpoint()
    assert spans.chain("Till.handle Price") == ["Till.handle Price", "ask Price", "customer"]
    assert spans.chain("Shelf.handle Order") == ["Shelf.handle Order", "Till.handle Order", "customer"]
    assert spans.one("ask Price").attributes["actors.system"] == "alpha"
    assert spans.one("Till.handle Price").attributes["actors.system"] == "beta"


async def test_a_child_on_another_node_is_in_the_trace_too(spans: Spans) -> None:
    async with open_system("alpha") as alpha, open_system("beta", spawnable=[Till]) as beta:
        trace(alpha, spans.provider)
        trace(beta, spans.provider)
        listener = await beta.listen("127.0.0.1", 0)
        await alpha.connect(listener.url)
        till = await alpha.start(Till, name="till", on="beta")
        with spans.tracer.start_as_current_span("customer"):
            assert await till.ask(Price("bread")) == 2.5
    assert spans.chain("Till.handle Price") == ["Till.handle Price", "ask Price", "customer"]


async def test_a_posted_message_is_in_its_trace_on_another_node_too(spans: Spans) -> None:
    async with open_system("alpha") as alpha, open_system("beta") as beta:
        trace(alpha, spans.provider)
        trace(beta, spans.provider)
        await beta.start(Till, name="till")
        listener = await beta.listen("127.0.0.1", 0)
        await alpha.connect(listener.url)
        with spans.tracer.start_as_current_span("customer"), trio.fail_after(5):
            ticket = await alpha.post("/till", Price("bread"))
        assert await ticket.wait_reply() == 2.5
    assert spans.chain("Till.handle Price") == ["Till.handle Price", "customer"]
    assert spans.one("Till.handle Price").kind is SpanKind.CONSUMER


async def test_actors_that_run_already_are_traced_from_their_next_message_on(spans: Spans) -> None:
    async with open_system("alpha") as system:
        till, shelf = await system.start(Till), await system.start(Shelf)
        await till.ask(Price("bread"))
        tracing = trace(system, spans.provider)
        await till.ask(Price("bread"))
        await shelf.ask(Price("bread"))
        tracing.stop()
        tracing.stop()
        await till.ask(Price("bread"))
        await shelf.ask(Price("bread"))
        assert repr(tracing) == "<Tracing of 'alpha', off>"
    names = sorted(span.name for span in spans.exporter.get_finished_spans())
    assert names == ["Shelf.handle Price", "Till.handle Price", "ask Price", "ask Price"]


async def test_another_system_with_the_same_actors_is_not_traced(spans: Spans) -> None:
    async with open_system("alpha") as alpha, open_system("beta") as beta:
        with trace(alpha, spans.provider):
            await (await beta.start(Till)).ask(Price("bread"))
            await (await beta.start(Shelf)).ask(Price("bread"))
    assert spans.exporter.get_finished_spans() == ()


async def test_a_system_is_traced_once_and_while_it_is_open(spans: Spans) -> None:
    async with open_system("alpha") as system:
        trace(system, spans.provider)
        with pytest.raises(RuntimeError, match="is traced already"):
            trace(system, spans.provider)
    with pytest.raises(actors.SystemClosed):
        trace(system, spans.provider)


async def test_the_frameworks_own_actors_have_no_spans(spans: Spans) -> None:
    async with open_system("alpha") as system:
        trace(system, spans.provider)
        await system.start(Till, name="till")
        await (await system.post("/till", Order("bread"))).wait_reply()
    assert {span.name for span in spans.exporter.get_finished_spans()} == {"Till.handle Order"}


class BrokenProcessor(SpanProcessor):
    """Raises at one end of each span."""

    def __init__(self, at: str) -> None:
        self._at = at

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        if self._at == "start":
            raise OSError("no room for spans")

    def on_end(self, span: Any) -> None:
        if self._at == "end":
            raise OSError("no room for spans")


@pytest.mark.parametrize("at", ["start", "end"])
@pytest.mark.parametrize("kind", [Till, Shelf])
async def test_a_broken_processor_hurts_neither_asker_nor_actor_and_is_logged(
    spans: Spans, caplog: pytest.LogCaptureFixture, kind: type[Actor], at: str
) -> None:
    spans.provider.add_span_processor(BrokenProcessor(at))
    async with open_system("alpha") as system:
        trace(system, spans.provider)
        till = await system.start(kind, name="till")
        assert await till.ask(Price("bread"), timeout=5) == 2.5
        assert till.state is actors.ActorState.IDLE
        assert till.statistics().failed == 0
    assert "OpenTelemetry has failed at the span" in caplog.text


class Wordless(Exception):
    def __str__(self) -> str:
        raise ValueError("no words")


async def wordless(ctx: Context) -> None:
    async for _ in ctx.inbox:
        raise Wordless


async def test_an_error_whose_text_raises_is_the_status_all_the_same(spans: Spans) -> None:
    async with open_system("alpha") as system:
        trace(system, spans.provider)
        ref = await system.start(wordless, name="wordless", policy=Policy(restart="temporary"))
        ref.tell(Order("bread"))
        exit = await ref.wait_stopped()
    assert type(exit.error) is Wordless
    span = spans.one("wordless.handle Order")
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "Wordless")
