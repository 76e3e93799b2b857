"""The figures of a system for Prometheus. Needs the extra `web`: `pip install trio-actors[web]`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import attrs
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.core import Metric as Family

from actors.observe.export.facts import Metric, readings_of

if TYPE_CHECKING:
    from actors.system import System

__all__ = ["CONTENT_TYPE", "Collector", "metrics_text", "take_metrics"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""What a server says that `metrics_text` is."""


class Collector:
    """The figures of one system, for a registry of prometheus-client: `REGISTRY.register(Collector(system))`.

    Read at each scrape; between two it costs only the counting of events, which begins here. Every sample
    has the label `system`. To be scraped in the thread of the event loop: where prometheus-client serves
    from a thread of its own, figures of one scrape may be of different moments.
    """

    def __init__(self, system: System) -> None:
        self._readings = readings_of(system)

    def describe(self) -> list[Family]:
        """Nothing: registries ask for names without reading them."""
        return []

    def collect(self) -> Iterator[Family]:
        """One family for each figure."""
        for metric in self._readings.read():
            yield _family(metric, self._readings.name)


@attrs.frozen(eq=False)
class _Taken:
    """Figures that were read before."""

    metrics: list[Metric]
    system: str

    def collect(self) -> Iterator[Family]:
        for metric in self.metrics:
            yield _family(metric, self.system)


def _family(metric: Metric, system: str) -> Family:
    if metric.histogram is not None:
        family = HistogramMetricFamily(metric.name, metric.help, labels=["system"])
        buckets = [
            ("+Inf" if math.isinf(bound) else repr(bound), count) for bound, count in metric.histogram.buckets
        ]
        family.add_metric([system], buckets=buckets, sum_value=metric.histogram.total)
        return family
    if metric.kind == "summary":  # prometheus-client has no family of it with quantiles
        summary = Family(metric.name, metric.help, "summary")
        for labels, value in metric.samples:
            summary.add_sample(metric.name, {"system": system, **labels}, value)
        return summary
    names = list(metric.samples[0][0]) if metric.samples else []
    kind = GaugeMetricFamily if metric.kind == "gauge" else CounterMetricFamily
    family = kind(metric.name, metric.help, labels=["system", *names])
    for labels, value in metric.samples:
        family.add_metric([system, *labels.values()], value)
    return family


def metrics_text(system: System) -> bytes:
    """The figures of a system in Prometheus' text format, as `CONTENT_TYPE`. Plain, and no checkpoint.

    What comes from events (failures, restarts, latencies) is counted from the first call on: make it when
    the system opens. Costs a walk over the tree, in one go: see `take_metrics`.
    """
    readings = readings_of(system)
    return _text(_Taken(readings.read(), readings.name))


async def take_metrics(system: System) -> bytes:
    """As `metrics_text`, and others have their turns during the walk. A checkpoint."""
    readings = readings_of(system)
    return _text(_Taken(await readings.take(), readings.name))


def _text(taken: _Taken) -> bytes:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(taken)  # pyright: ignore[reportArgumentType]  # `collect` is all that it calls
    return generate_latest(registry)
