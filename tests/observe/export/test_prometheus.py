"""The figures of a system in the text format of Prometheus, read back by its own parser."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
import trio
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

import actors
from actors import (
    Actor,
    Backoff,
    Breaker,
    Context,
    Job,
    Policy,
    Supervisor,
    System,
    Timeout,
    message,
    receive,
)
from actors.observe.export.facts import DEEPEST
from actors.observe.export.prometheus import CONTENT_TYPE, Collector, metrics_text, take_metrics
from actors.observe.tally import LABELS, OTHERS, Labels

ONCE = Policy(restart="temporary", breaker=None)

Figures = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def figures(system: System) -> Figures:
    """Each sample by its name and labels, without the label of the system, which all have."""
    found: Figures = {}
    for family in text_string_to_metric_families(metrics_text(system).decode()):
        for sample in family.samples:
            assert sample.labels.pop("system") == system.name
            found[sample.name, tuple(sorted(sample.labels.items()))] = sample.value
    return found


def one(found: Figures, name: str, **labels: str) -> float:
    return found[name, tuple(sorted(labels.items()))]


def labels_of(found: Figures, name: str) -> list[dict[str, str]]:
    return [dict(labels) for known, labels in found if known == name]


@message
class Order:
    item: str


class Till(Actor):
    @receive
    def sell(self, order: Order) -> None:
        if order.item == "tea":
            raise ValueError("no tea")


async def lingering(ctx: Context, seconds: float) -> None:
    """Runs into its limit, and takes some seconds to end."""
    try:
        await trio.sleep_forever()
    finally:
        with trio.CancelScope(shield=True):
            await trio.sleep(seconds)


async def working(ctx: Context) -> None:
    await trio.sleep(10)


@pytest.mark.row(40)
async def test_failures_by_type_detection_latency_and_parallelism_are_exported(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with actors.open_system("alpha") as system:
        figures(system)
        till = system.spawn(Till, name="till", policy=ONCE)
        till.tell(Order("tea"))
        limited = Policy(
            restart="temporary",
            breaker=None,
            shutdown=5.0,
            timeout=Timeout("fixed", 1.0, no_activity=None),
        )
        late = [system.spawn(lingering, seconds, policy=limited) for seconds in (0.3, 0.2, 0.1)]
        for ref in (till, *late):
            await ref.wait_stopped()
        await system.run_jobs([Job(working) for _ in range(4)], limit=2)
        found = figures(system)
    error = {"exit": "FAILED", "failure": "ERROR", "error": "ValueError"}
    assert one(found, "actors_failures_total", **error) == 1
    timeout = {"exit": "TIMED_OUT", "failure": "TIMEOUT", "error": "TimedOut"}
    assert one(found, "actors_failures_total", **timeout) == 3
    assert one(found, "actors_deadlines_passed_total") == 3
    latency = "actors_detection_latency_quantile_seconds"
    assert [round(one(found, latency, quantile=q), 3) for q in ("0.5", "0.95", "0.99")] == [0.2, 0.3, 0.3]
    assert one(found, "actors_detection_latency_seconds_count") == 3
    assert one(found, "actors_detection_latency_seconds_sum") == pytest.approx(0.6)
    assert one(found, "actors_detection_latency_seconds_bucket", le="0.25") == 2
    assert one(found, "actors_jobs_worked_seconds_total") == pytest.approx(40)
    assert one(found, "actors_jobs_parallelism_ratio") == pytest.approx(2.0)


@pytest.mark.row(113)
async def test_response_times_timeouts_and_pending_requests_of_people_are_exported(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with actors.open_system("alpha") as system, trio.open_nursery() as nursery:
        desk = system.desk
        nursery.start_soon(lambda: desk.approval("Sell?", to="ann"))
        nursery.start_soon(lambda: desk.approval("Buy?", to="bob", timeout=10.0))
        nursery.start_soon(lambda: desk.approval("Close?", timeout=1000.0))
        await trio.sleep(4)
        found = figures(system)
        pending = {labels["person"] for labels in labels_of(found, "actors_people_pending")}
        assert pending == {"ann", "bob", "(anybody)"}
        assert one(found, "actors_people_pending", person="ann") == 1
        desk.answer(desk.pending("ann")[0].id, True)
        await trio.sleep(20)
        found = figures(system)
        assert labels_of(found, "actors_people_pending") == [{"person": "(anybody)"}]
        assert one(found, "actors_people_asked_total") == 3
        assert one(found, "actors_people_answered_total") == 1
        assert one(found, "actors_people_timed_out_total") == 1
        assert one(found, "actors_people_timeout_ratio") == 0.5
        assert one(found, "actors_people_response_seconds_count") == 1
        assert one(found, "actors_people_response_seconds_sum") == pytest.approx(4)
        assert one(found, "actors_people_response_seconds_bucket", le="5.0") == 1
        assert one(found, "actors_people_response_seconds_bucket", le="2.0") == 0
        nursery.cancel_scope.cancel()


async def test_actors_are_counted_by_state_and_kind_and_messages_by_what_became_of_them(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with actors.open_system("alpha") as system:
        figures(system)
        till = await system.start(Till, name="till", policy=ONCE)
        held = await system.start(Till, name="held")
        held.suspend()
        held.tell(Order("cake"))
        till.tell(Order("cake"))
        till.tell(Order("tea"))
        await till.wait_stopped()
        till.tell(Order("cake"))
        found = figures(system)
    assert one(found, "actors", state="suspended", kind="actor") == 1
    assert one(found, "actors_mailbox_items") == 1
    assert one(found, "actors_mailbox_deepest_items", path="/held") == 1
    assert one(found, "actors_messages_handled_total") == 2
    assert one(found, "actors_dead_letters_total") == 2
    assert one(found, "actors_dead_letters_by_reason_total", reason="crashed") == 1
    assert one(found, "actors_dead_letters_by_reason_total", reason="stopped") == 1


async def test_restarts_and_breakers_that_open_are_counted(autojump_clock: trio.testing.MockClock) -> None:
    policy = Policy(breaker=Breaker(failures=2), backoff=Backoff(initial=0.1))
    async with actors.open_system("alpha") as system:
        figures(system)
        till = await system.start(Till, name="till", policy=policy)
        for _ in range(2):
            till.tell(Order("tea"))
            await trio.sleep(1)
        found = figures(system)
    assert one(found, "actors_restarts_total") == 1
    assert one(found, "actors_breaker_opens_total") == 1
    assert one(found, "actors_breakers", state="open") == 1


class Crowd(Supervisor):
    def on_start(self) -> None:
        for number in range(30):
            child = self.spawn(Till, name=f"till-{number}" if number % 2 else None)
            child.suspend()
            for _ in range(number):
                child.tell(Order("cake"))


async def test_the_deepest_mailboxes_are_named_and_adhoc_ones_taken_together() -> None:
    async with actors.open_system("alpha") as system:
        await system.start(Crowd, name="crowd")
        found = figures(system)
    paths = [labels["path"] for labels in labels_of(found, "actors_mailbox_deepest_items")]
    assert len(paths) == DEEPEST
    assert one(found, "actors_mailbox_deepest_items", path="/crowd/~") == sum(range(0, 30, 2))
    assert one(found, "actors_mailbox_deepest_items", path="/crowd/till-29") == 29
    assert "/crowd/till-1" not in paths


def test_a_label_has_a_bounded_number_of_values() -> None:
    labels = Labels()
    admitted = {labels.admit(f"/job-{number}") for number in range(10 * LABELS)}
    assert len(admitted) == LABELS + 1
    assert labels.admit("/job-0") == "/job-0"
    assert labels.admit("/job-999") == OTHERS


async def test_links_are_exported_with_their_state_and_round_trip() -> None:
    async with actors.open_system("alpha") as alpha, actors.open_system("beta") as beta:
        listener = await beta.listen("127.0.0.1", 0)
        await alpha.connect(listener.url)
        found = figures(alpha)
        assert one(found, "actors_links", node="beta", state="up") == 1


async def test_two_systems_share_a_registry() -> None:
    registry = CollectorRegistry(auto_describe=False)
    async with actors.open_system("alpha") as alpha, actors.open_system("beta") as beta:
        registry.register(Collector(alpha))
        registry.register(Collector(beta))
        names = {sample.labels["system"] for family in registry.collect() for sample in family.samples}
    assert names == {"alpha", "beta"}


async def test_a_system_is_counted_once_however_often_it_is_read() -> None:
    async with actors.open_system("alpha") as system:
        for _ in range(3):
            figures(system)
        till = await system.start(Till, policy=ONCE)
        till.tell(Order("tea"))
        await till.wait_stopped()
        error = {"exit": "FAILED", "failure": "ERROR", "error": "ValueError"}
        assert one(figures(system), "actors_failures_total", **error) == 1


RESERVED = {"le": "histogram", "quantile": "summary"}
"""Labels that have a meaning in one type of figure, and are refused by checkers in others."""
ABBREVIATED = re.compile(r"_(ms|us|ns|sec|secs|min|mins|minutes|hours|kb|mb|bytes_size|pct|percent)(_|$)")


async def test_every_figure_has_a_help_and_a_name_by_the_conventions(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with actors.open_system("alpha") as system:
        metrics_text(system)
        limited = Policy(restart="temporary", timeout=Timeout("fixed", 1.0, no_activity=None))
        await system.spawn(working, name="late", policy=limited).wait_stopped()
        families = list(text_string_to_metric_families(metrics_text(system).decode()))
    for family in families:
        assert family.documentation.endswith(".")
        assert family.name == "actors" or family.name.startswith("actors_")
        assert family.type in ("gauge", "counter", "histogram", "summary")
        assert not family.name.endswith(("_total", "_count", "_sum", "_bucket"))
        assert not ABBREVIATED.search(family.name)
        for sample in family.samples:
            assert (family.type == "counter") == sample.name.endswith("_total")
            assert all(RESERVED.get(label, family.type) == family.type for label in sample.labels)
    [quantiles] = [family for family in families if family.type == "summary"]
    assert [sample.labels["quantile"] for sample in quantiles.samples] == ["0.5", "0.95", "0.99"]
    assert CONTENT_TYPE.startswith("text/plain")


def test_the_package_imports_none_of_what_the_extras_bring() -> None:
    """Whoever does not export, pays nothing and needs nothing."""
    code = (
        "import sys, actors, actors.observe.export;"
        "extras = {'prometheus_client', 'opentelemetry', 'starlette', 'hypercorn'};"
        "sys.exit(', '.join(extras & set(sys.modules)) or None)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


async def test_metrics_of_a_large_tree_are_taken_with_turns_for_others(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """They say what is said in one go."""
    async with actors.open_system("alpha") as system:
        for _ in range(200):
            await system.start(lingering, 1000.0)
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                await trio.lowlevel.checkpoint()
                turns += 1

        async with trio.open_nursery() as nursery:
            nursery.start_soon(other)
            await trio.lowlevel.checkpoint()
            before = turns
            text = await take_metrics(system)
            assert turns - before >= 5
            nursery.cancel_scope.cancel()
        assert text == metrics_text(system)
        assert b"} 200.0" in text
