"""The figures of a system for OpenTelemetry, read when its SDK collects. Needs the extra `otel`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

import trio
from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation, get_meter

from actors.errors import SystemClosed
from actors.events import Event
from actors.histogram import HistogramSnapshot
from actors.observe.export.facts import Metric, Readings, readings_of
from actors.observe.export.reach import root_of

if TYPE_CHECKING:
    from actors.system import System

__all__ = ["observe"]

_PATIENCE: Final = 1.0
"""Seconds in which the event loop must give figures to a thread that collects; else there are none."""
_QUANTILES: Final = (0.5, 0.95, 0.99)


class _Source:
    """Gives the figures to whoever collects, in whatever thread: one reading for all of a round.

    Collectors ask one instrument after the other. A figure that was given since the last reading is asked
    for in another round.
    """

    def __init__(self, readings: Readings) -> None:
        self._readings: Readings | None = readings
        self._token = trio.lowlevel.current_trio_token()
        self._loop = threading.get_ident()
        self._figures: dict[str, Metric] = {}
        self._given: set[tuple[str, str]] = set()

    # --- as a subscriber: only to hear of the end ---

    def takes(self, kind: type[Event]) -> bool:
        """See `Subscriber`: no event."""
        return False

    def put(self, event: Event) -> None:
        """See `Subscriber`."""

    def close(self) -> None:
        """See `Subscriber`: the system has closed, and has no figures any more."""
        self._readings = None
        self._given.clear()

    # --- reading ---

    def take(self, name: str, part: str) -> Metric | None:
        """A figure for an instrument; None where the system has closed, or its loop stands still."""
        asked = name, part
        if asked in self._given or not self._given:
            self._figures = {metric.name: metric for metric in self._read()}
            self._given.clear()
        self._given.add(asked)
        return self._figures.get(name)

    def _read(self) -> list[Metric]:
        readings = self._readings
        if readings is None:
            return []
        if threading.get_ident() == self._loop:
            return readings.read()
        found: list[Metric] = []
        done = threading.Event()

        def read() -> None:
            found.extend(readings.read())
            done.set()

        try:
            self._token.run_sync_soon(read)
        except trio.RunFinishedError:
            return []
        return found if done.wait(_PATIENCE) else []


def observe(system: System, meter_provider: MeterProvider | None = None) -> None:
    """Give the figures of a system to OpenTelemetry until it closes: those of `metrics_text`.

    A histogram comes as a count, a sum and its 0.5, 0.95 and 0.99 quantiles. Costs nothing between two
    collections but the counting of events. `meter_provider` is the global one by default. Never blocks;
    to be called in the thread of the event loop, and once a system. Raises `SystemClosed`.
    """
    root = root_of(system)
    if root.is_gone:
        raise SystemClosed(system.name)
    readings = readings_of(system)
    source = _Source(readings)
    root.kernel.sink.attach(source)
    meter: Any = get_meter("actors", meter_provider=meter_provider)
    makers: dict[str, Callable[..., Any]] = {
        "counter": meter.create_observable_counter,
        "gauge": meter.create_observable_gauge,
        "summary": meter.create_observable_gauge,
    }
    for metric in readings.read():
        unit = "s" if metric.name.endswith("_seconds") else "1"
        for suffix, kind, give in _parts(metric):
            makers[kind](
                metric.name + suffix,
                callbacks=[_callback(source, metric.name, suffix, give, system.name)],
                unit="1" if suffix == "_count" else unit,
                description=metric.help,
            )


_Give = Callable[[Metric], Iterator[tuple[float, dict[str, str]]]]


def _parts(metric: Metric) -> Iterable[tuple[str, str, _Give]]:
    """The instruments of a figure: what its name goes on with, what it is, and what it gives."""
    if metric.histogram is None:
        return [("", metric.kind, _samples)]
    return [
        ("_count", "counter", lambda it: _of(it.histogram, lambda of: of.count)),
        ("_sum", "counter", lambda it: _of(it.histogram, lambda of: of.total)),
        ("_quantile", "gauge", _quantiles),
    ]


def _samples(metric: Metric) -> Iterator[tuple[float, dict[str, str]]]:
    for labels, value in metric.samples:
        yield value, dict(labels)


def _of(
    histogram: HistogramSnapshot | None, read: Callable[[HistogramSnapshot], float]
) -> Iterator[tuple[float, dict[str, str]]]:
    if histogram is not None:
        yield read(histogram), {}


def _quantiles(metric: Metric) -> Iterator[tuple[float, dict[str, str]]]:
    for q in _QUANTILES:
        value = None if metric.histogram is None else metric.histogram.quantile(q)
        if value is not None:
            yield value, {"quantile": f"{q:g}"}


def _callback(
    source: _Source, name: str, suffix: str, give: _Give, system: str
) -> Callable[[CallbackOptions], Iterable[Observation]]:
    def observed(_: CallbackOptions) -> Iterable[Observation]:
        metric = source.take(name, suffix)
        if metric is None:
            return []
        return [Observation(value, {"system": system, **labels}) for value, labels in give(metric)]

    return observed
