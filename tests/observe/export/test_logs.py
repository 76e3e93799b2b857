"""Events in the standard logging, as records with fields and as lines of JSON."""

from __future__ import annotations

import inspect
import json
import logging
import threading
from collections.abc import Generator
from typing import Any

import pytest
import trio

from actors import Actor, Policy, System, SystemClosed, events, message, open_system, receive
from actors.events import Escalated, Event, Failed, Spawned, StoreFailing, TicketMoved
from actors.exits import Exit, ExitKind
from actors.observe.export import EventLog, JsonFormatter, log_events
from actors.observe.export import logs as logs_module
from actors.observe.export.levels import RESERVED_FIELDS, extra_fields, level_of
from actors.observe.recorder import Recorder
from tests.observe.sample import made


@message
class Order:
    item: str


class Till(Actor):
    @receive
    def sell(self, order: Order) -> None:
        raise ValueError(f"no {order.item}")


class Kept(logging.Handler):
    """What came, and from which thread; `gate` holds up every record."""

    def __init__(self, gate: threading.Event | None = None) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []
        self.threads: set[str] = set()
        self.gate = gate
        self.held = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.held.set()
        if self.gate is not None:
            assert self.gate.wait(5)
        self.records.append(record)
        self.threads.add(threading.current_thread().name)

    def of(self, kind: str) -> Any:
        [found] = [record for record in self.records if getattr(record, "event", None) == kind]
        return found


@pytest.fixture
def shop() -> Generator[Kept]:
    """A handler at the logger "shop", which lets everything through."""
    yield from handled_by(Kept())


def handled_by(handler: Any, level: int = logging.DEBUG) -> Generator[Any]:
    logger = logging.getLogger("shop")
    logger.addHandler(handler)
    logger.setLevel(level)
    logger.propagate = False
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)
    logger.propagate = True


async def fail_once(system: System) -> None:
    till = await system.start(Till, name="till", policy=Policy(restart="temporary"))
    till.tell(Order("tea"))
    await till.wait_stopped()


async def test_a_failure_is_a_warning_with_plain_fields(shop: Kept) -> None:
    async with open_system("alpha") as system:
        log_events(system, logger="shop")
        await fail_once(system)
    failed = shop.of("Failed")
    assert failed.levelno == logging.WARNING
    assert failed.getMessage() == "/till: FAILED (ValueError: no tea), with Order(item='tea') in hand"
    assert (failed.path, failed.system, failed.node) == ("/till", "alpha", "alpha")
    assert (failed.exit, failed.reason, failed.message_text) == (
        "FAILED",
        "ValueError: no tea",
        "Order(item='tea')",
    )


async def test_the_record_has_the_time_of_the_event(shop: Kept) -> None:
    async with open_system("alpha") as system:
        log_events(system, logger="shop")
        async with system.subscribe(Failed) as heard:
            await fail_once(system)
            event = await anext(heard)
        at = system.find("/").cell.kernel.wall_at(event.at)  # type: ignore[union-attr]
    assert shop.of("Failed").created == at


async def test_handlers_run_in_a_thread_that_ends_with_the_system(shop: Kept) -> None:
    async with open_system("alpha") as system:
        log_events(system, logger="shop")
        await fail_once(system)
    assert shop.threads == {"log of alpha"}
    assert not [one for one in threading.enumerate() if one.name == "log of alpha"]
    assert shop.records[-1].event in ("Stopped", "EndOrdered")  # type: ignore[attr-defined]


async def test_a_slow_handler_holds_up_no_actor_and_what_it_loses_is_counted_and_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logs_module, "KEPT", 5)
    gate = threading.Event()
    for slow in handled_by(Kept(gate)):
        async with open_system("alpha") as system:
            with log_events(system, logger="shop", kinds=[Spawned]) as log:
                system.spawn(Till)
                assert slow.held.wait(5)
                for _ in range(9):  # none of them waits for the handler, which does not return
                    system.spawn(Till)
                assert (log.lost, slow.records) == (4, [])
                gate.set()
        said = [record for record in slow.records if record.levelno == logging.WARNING]
        assert [(record.getMessage(), record.count) for record in said] == [
            ("4 events are not in this log: its handlers are too slow", 4)
        ]
        assert len(slow.records) == 7


async def test_a_handler_that_hangs_holds_up_the_end_of_a_system_for_a_bounded_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logs_module, "_JOIN_SECONDS", 0.05)
    gate = threading.Event()
    for slow in handled_by(Kept(gate)):
        async with open_system("alpha") as system:
            log = log_events(system, logger="shop", kinds=[Spawned])
            system.spawn(Till)
            assert slow.held.wait(5)
            system.spawn(Till)
        gate.set()
        log._thread.join(5)
        assert log.lost == 1
        assert [record.event for record in slow.records] == ["Spawned", "EventsLost"]  # type: ignore[attr-defined]


async def test_a_handler_that_raises_ends_neither_actor_nor_log() -> None:
    class Broken(logging.Handler):
        calls = 0

        def handle(self, record: logging.LogRecord) -> bool:
            Broken.calls += 1
            raise RuntimeError("no disk")

    for _ in handled_by(Broken()):
        async with open_system("alpha") as system:
            log = log_events(system, logger="shop", kinds=[Spawned])
            system.spawn(Till)
            system.spawn(Till)
        assert (log.broken, Broken.calls) == (2, 2)


async def test_what_the_logger_does_not_want_is_not_taken_down() -> None:
    for handler in handled_by(Kept(), logging.WARNING):
        async with open_system("alpha") as system:
            log_events(system, logger="shop")
            await fail_once(system)
        assert {record.event for record in handler.records} == {"Failed", "DeadLetter"}


async def test_a_log_ends_with_its_block(shop: Kept) -> None:
    async with open_system("alpha") as system:
        with log_events(system, logger="shop", kinds=[Spawned]) as log:
            system.spawn(Till, name="first")
        system.spawn(Till, name="second")
        log.close()
        assert "closed" in repr(log)
    assert [record.path for record in shop.records] == ["/first"]  # type: ignore[attr-defined]


async def test_a_closed_system_and_what_is_no_event_are_refused() -> None:
    async with open_system("alpha") as system:
        with pytest.raises(TypeError, match="is not a kind of event"):
            log_events(system, kinds=[ValueError])  # type: ignore[list-item]
    with pytest.raises(SystemClosed):
        log_events(system)


KINDS = [kind for _, kind in inspect.getmembers(events, inspect.isclass) if issubclass(kind, Event)]


@pytest.mark.parametrize("kind", KINDS)
def test_no_field_of_any_event_has_a_name_that_a_record_has(kind: type[Event]) -> None:
    fact = Recorder(lambda at: at).fact(1, made(kind))
    fields = extra_fields(fact, "alpha")
    assert not RESERVED_FIELDS & fields.keys()
    logging.getLogger().makeRecord("n", 10, "f", 0, "m", (), None, extra=fields)


def test_levels_tell_what_was_given_up_from_what_failed() -> None:
    error = OSError("full")
    assert level_of(StoreFailing(0.0, "a.db", error, 1.0)) == logging.ERROR
    assert level_of(Escalated(0.0, None, None, error)) == logging.ERROR  # type: ignore[arg-type]
    assert level_of(Failed(0.0, None, Exit(ExitKind.FAILED))) == logging.WARNING  # type: ignore[arg-type]
    assert level_of(TicketMoved(0.0, "1", "/a", "pending", 0, "")) == logging.DEBUG
    assert level_of(TicketMoved(0.0, "1", "/a", "dead", 5, "")) == logging.WARNING
    assert level_of(events.NodeUp(0.0, "beta", False)) == logging.INFO


def line(**fields: Any) -> dict[str, Any]:
    record = logging.makeLogRecord({"msg": "%s!", "args": ("tea",), "created": 1.5, "msecs": 500.0} | fields)
    record.levelname, record.name = "INFO", "shop"
    text = JsonFormatter().format(record)
    assert "\n" not in text
    return json.loads(text)


def test_a_line_of_json_has_the_fields_of_the_record() -> None:
    assert line(event="Failed", path="/till") == {
        "time": "1970-01-01T00:00:01.500Z",
        "level": "INFO",
        "logger": "shop",
        "message": "tea!",
        "event": "Failed",
        "path": "/till",
    }


def test_a_line_of_json_has_the_traceback() -> None:
    try:
        raise ValueError("no tea")
    except ValueError as error:
        said = line(exc_info=(type(error), error, error.__traceback__))
    assert said["exception"].startswith("Traceback")
    assert said["exception"].endswith("ValueError: no tea")


class Odd:
    def __repr__(self) -> str:
        raise ValueError("no repr")


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), Odd(), b"\xff", {1: object}, "\ud800", 1 << 99]
)
def test_no_value_keeps_a_line_of_json_from_being_written(value: object) -> None:
    assert "odd" in line(odd=value)


def test_arguments_that_do_not_fit_are_told_in_the_line() -> None:
    assert "cannot be formatted" in line(args=(1, 2))["message"]


async def test_a_log_says_what_it_is() -> None:
    async with open_system("alpha") as system:
        log = log_events(system)
        assert isinstance(log, EventLog)
        assert repr(log) == "<EventLog to 'actors.events', open, 0 waiting>"
        await trio.lowlevel.checkpoint()
