"""The figures of a system through the meters of OpenTelemetry."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

import actors
from actors import Actor, Policy, System, message, open_system, receive
from actors.observe.export import facts
from actors.observe.export.otel import observe


@message
class Order:
    item: str


class Till(Actor):
    @receive
    def sell(self, order: Order) -> None:
        raise ValueError("no tea")


def collected(reader: InMemoryMetricReader) -> dict[str, list[tuple[float, dict[str, Any]]]]:
    data: Any = reader.get_metrics_data()
    if data is None:
        return {}
    return {
        metric.name: [(point.value, dict(point.attributes)) for point in metric.data.data_points]
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }


async def fail(system: System) -> None:
    till = await system.start(Till, policy=Policy(restart="temporary"))
    till.tell(Order("tea"))
    await till.wait_stopped()


async def test_the_figures_are_observed_at_each_collection_and_read_once_for_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read: list[str] = []
    reading = facts.Readings.read
    monkeypatch.setattr(facts.Readings, "read", lambda self: (read.append("read"), reading(self))[1])
    reader = InMemoryMetricReader()
    async with open_system("alpha") as system:
        observe(system, MeterProvider([reader]))
        before = len(read)
        assert collected(reader)["actors_mailbox_items"] == [(0.0, {"system": "alpha"})]
        await fail(system)
        found = collected(reader)
        assert len(read) == before + 2
    labels = {"system": "alpha", "exit": "FAILED", "failure": "ERROR", "error": "ValueError"}
    assert found["actors_failures"] == [(1.0, labels)]
    assert found["actors_people_response_seconds_count"] == [(0, {"system": "alpha"})]


async def test_a_collection_from_another_thread_is_read_in_that_of_the_loop() -> None:
    reader = InMemoryMetricReader()
    async with open_system("alpha") as system:
        observe(system, MeterProvider([reader]))
        await fail(system)
        found = await trio.to_thread.run_sync(collected, reader)
        assert found["actors_failures"][0][0] == 1.0


async def test_a_system_that_has_closed_has_no_figures() -> None:
    reader = InMemoryMetricReader()
    async with open_system("alpha") as system:
        observe(system, MeterProvider([reader]))
    assert collected(reader) == {}
    with pytest.raises(actors.SystemClosed):
        observe(system)
