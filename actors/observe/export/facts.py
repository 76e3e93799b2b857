"""What is exported of a system as figures, whoever wants them: a few counts, read when somebody asks.

Between two readings it costs what the counting of events does, and nothing before the first. What
comes from events is counted from the first reading on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from heapq import nlargest
from typing import TYPE_CHECKING, Final, Literal, cast

import attrs
import trio

from actors import events
from actors.core.kernel import Kernel
from actors.events import Event
from actors.histogram import HistogramSnapshot
from actors.observe.bus import Bus
from actors.observe.export.census import Census, walk
from actors.observe.export.reach import root_of
from actors.observe.tally import COUNTED, EventTally, Labels
from actors.supervision.breaker import CircuitState
from actors.supervision.family import Family

if TYPE_CHECKING:
    from actors.system import System

__all__ = ["DEEPEST", "Metric", "Readings", "readings_of"]

DEEPEST: Final = 10
"""Mailboxes that are shown by name: those in which most waits."""
_NAMELESS: Final = "(anybody)"

Label = Mapping[str, str]
Plain = tuple[Label, float]


@attrs.frozen
class Metric:
    """One figure, by labels. A "counter" only grows; `name` has no `_total`. A "summary" has quantiles."""

    name: str
    help: str
    kind: Literal["gauge", "counter", "histogram", "summary"]
    samples: tuple[Plain, ...] = ()
    histogram: HistogramSnapshot | None = None
    """Of a "histogram", which has no labels."""


class _Ears:
    """The tally as a subscriber."""

    def __init__(self, readings: Readings) -> None:
        self.readings = readings

    def takes(self, kind: type[Event]) -> bool:
        """See `Subscriber`."""
        return kind in COUNTED

    def put(self, event: Event) -> None:
        """See `Subscriber`."""
        self.readings.tally.add(event)

    def close(self) -> None:
        """See `Subscriber`: what was counted can still be read."""


class Readings:
    """The figures of one system: `read()` takes them. Made once a system, by `readings_of`."""

    def __init__(self, system: System, kernel: Kernel) -> None:
        self._system = system
        self._kernel = kernel
        root = root_of(system)
        assert isinstance(root, Family)
        self._root = root
        self.tally = EventTally()
        self._paths = Labels()
        self._people = Labels()
        self._nodes = Labels()

    @property
    def name(self) -> str:
        """The name of the system."""
        return self._kernel.name

    def read(self) -> list[Metric]:
        """The figures as they are now. Costs a walk over the tree in one go; plain, and no checkpoint."""
        census = Census()
        for _ in walk(self._root, census):
            pass
        return self._figures(census)

    async def take(self) -> list[Metric]:
        """The same, and others have their turns during the walk. A checkpoint."""
        census = Census()
        for _ in walk(self._root, census):
            await trio.lowlevel.checkpoint()
        await trio.lowlevel.checkpoint()
        return self._figures(census)

    def _figures(self, census: Census) -> list[Metric]:
        return [
            *self._of_actors(census),
            *self._of_messages(census.handled),
            *self._of_failures(),
            *self._of_detection(),
            *self._of_links(),
            *self._of_people(),
        ]

    # --- actors and their mailboxes ---

    def _of_actors(self, census: Census) -> Iterator[Metric]:
        yield _by("actors", "Living actors.", "gauge", ("state", "kind"), census.states)
        yield _one("actors_mailbox_items", "Messages that wait in all mailboxes.", "gauge", census.waiting)
        yield _by(
            "actors_mailbox_deepest_items",
            "Messages that wait where most wait; adhoc actors of one supervisor are taken together.",
            "gauge",
            ("path",),
            self._deepest(census.depths),
        )
        states = Counter({str(CircuitState.CLOSED).lower(): census.whole} if census.whole else ())
        states.update(str(one.state).lower() for one in self._root.breakers.views().values())
        yield _by("actors_breakers", "Breakers of named actors.", "gauge", ("state",), states)
        uptime = self._kernel.now() - self._root.spawned_at
        yield _one("actors_uptime_seconds", "Since the system was opened.", "gauge", uptime)

    def _deepest(self, by_path: Counter[str]) -> Counter[str]:
        shown: Counter[str] = Counter()
        for path, depth in nlargest(DEEPEST, by_path.items(), key=lambda item: item[1]):
            shown[self._paths.admit(path)] += depth
        return shown

    # --- messages ---

    def _of_messages(self, by_the_living: int) -> Iterator[Metric]:
        kernel, tally = self._kernel, self.tally
        handled = kernel.handled_by_the_dead + by_the_living
        yield _one("actors_messages_handled", "Messages that were handled.", "counter", handled)
        yield _one(
            "actors_dead_letters", "Told messages that nobody handled.", "counter", kernel.dead_letter_count
        )
        yield _by(
            "actors_dead_letters_by_reason",
            "The same by reason, since the first reading.",
            "counter",
            ("reason",),
            tally.dead_letters,
        )
        yield self._seen(
            "actors_requests_expired", "Requests that nobody waited for any more.", events.Expired
        )
        yield self._seen("actors_replies_late", "Replies that nobody waited for any more.", events.LateReply)
        yield _by(
            "actors_tickets_moved",
            "Posted messages that came into a state.",
            "counter",
            ("state",),
            tally.tickets,
        )
        yield self._seen("actors_posts_rejected", "Posted messages that were refused.", events.PostRejected)
        yield self._seen("actors_store_failures", "Writes that the store did not take.", events.StoreFailing)

    # --- what goes wrong ---

    def _of_failures(self) -> Iterator[Metric]:
        yield _by(
            "actors_failures",
            "Incarnations that failed, by exit, kind of failure, and class of the error.",
            "counter",
            ("exit", "failure", "error"),
            self.tally.failures,
        )
        for name, help, kind in (
            ("actors_restarts", "Restarts.", events.Restarting),
            ("actors_escalations", "Supervisors that gave up.", events.Escalated),
            ("actors_breaker_opens", "Breakers that opened.", events.BreakerOpened),
            ("actors_deadlines_extended", "Limits that grew for an actor at work.", events.DeadlineExtended),
            ("actors_deadlines_passed", "Runs that were ended by their limit.", events.DeadlinePassed),
            ("actors_stalls_suspected", "Looks that found no sign of life.", events.StallSuspected),
            ("actors_stalls_confirmed", "Runs that stalled.", events.StallConfirmed),
            ("actors_patterns_matched", "Runs that were ended by what they wrote.", events.PatternMatched),
            (
                "actors_unresponsive_seconds",
                "Seconds in which a cancelled actor went on.",
                events.Unresponsive,
            ),
        ):
            yield self._seen(name, help, kind)

    def _of_detection(self) -> Iterator[Metric]:
        tally = self.tally
        yield Metric(
            "actors_detection_latency_seconds",
            "From the evidence that a run was bad to its end.",
            "histogram",
            histogram=tally.runs.detection.snapshot(),
        )
        latency = tally.runs.figures().latency
        quantiles = {} if latency is None else {"0.5": latency.p50, "0.95": latency.p95, "0.99": latency.p99}
        yield _by(
            "actors_detection_latency_quantile_seconds",
            "The same, exact, over the last 10,000 such runs.",
            "summary",
            ("quantile",),
            quantiles,
        )
        jobs = tally.jobs.figures()
        yield _one("actors_jobs_worked_seconds", "Sum of the times of all jobs.", "counter", jobs.worked)
        yield _one("actors_jobs_wall_seconds", "From the first job's start on.", "counter", jobs.wall)
        yield _one("actors_jobs_parallelism_ratio", "Jobs at once: worked/wall.", "gauge", jobs.parallelism)
        yield Metric(
            "actors_loop_blocked_seconds",
            "For how long the event loop stood still, each time it was noticed.",
            "histogram",
            histogram=tally.blocked.snapshot(),
        )

    # --- nodes and people ---

    def _of_links(self) -> Iterator[Metric]:
        peers = [(self._nodes.admit(peer.name), peer) for peer in self._system.nodes]
        states = Counter((name, str(peer.state).lower()) for name, peer in peers)
        yield _by("actors_links", "Links, by node and state.", "gauge", ("node", "state"), states)
        trips = {name: peer.round_trip for name, peer in peers if peer.round_trip is not None}
        yield _by("actors_link_round_trip_seconds", "Of the last beat.", "gauge", ("node",), trips)
        for name, help, kind in (
            ("actors_links_up", "Links that came to stand.", events.NodeUp),
            ("actors_links_broken", "Connections of links that ended.", events.NodeReconnecting),
            ("actors_links_down", "Nodes that were given up.", events.NodeDown),
            ("actors_connections_refused", "Connections that were turned away.", events.ConnectionRefused),
        ):
            yield self._seen(name, help, kind)

    def _of_people(self) -> Iterator[Metric]:
        desk = self._system.desk
        counts = desk.statistics()
        pending = Counter(
            self._people.admit(_NAMELESS if request.to is None else request.to) for request in desk.pending()
        )
        yield _by("actors_people_pending", "Requests that wait for a person.", "gauge", ("person",), pending)
        for name, help, value in (
            ("actors_people_asked", "Requests to people.", counts.asked),
            ("actors_people_answered", "Requests that a person answered.", counts.answered),
            ("actors_people_timed_out", "Requests that nobody answered in time.", counts.expired),
            ("actors_people_withdrawn", "Requests that nobody waited for any more.", counts.withdrawn),
            ("actors_people_escalated", "Requests that went on to another person.", counts.escalated),
            ("actors_people_late_answers", "Answers that came too late.", counts.late),
            ("actors_people_duplicate_answers", "Answers to what was answered.", counts.duplicate),
        ):
            yield _one(name, help, "counter", value)
        yield _one(
            "actors_people_timeout_ratio",
            "The share of what is over that nobody answered in time.",
            "gauge",
            counts.timeout_rate,
        )
        yield Metric(
            "actors_people_response_seconds",
            "From question to answer.",
            "histogram",
            histogram=counts.response,
        )

    def _seen(self, name: str, help: str, kind: type[Event]) -> Metric:
        return _one(name, help, "counter", self.tally.seen[kind])


def readings_of(system: System) -> Readings:
    """The readings of a system, begun at the first call."""
    kernel = root_of(system).kernel
    bus = cast("Bus", kernel.sink)
    for one in bus.listeners:
        if isinstance(one, _Ears):
            return one.readings
    readings = Readings(system, kernel)
    bus.attach(_Ears(readings))
    return readings


def _one(name: str, help: str, kind: Literal["gauge", "counter"], value: float) -> Metric:
    return Metric(name, help, kind, (({}, float(value)),))


def _by(
    name: str,
    help: str,
    kind: Literal["gauge", "counter", "summary"],
    labels: tuple[str, ...],
    values: Mapping[str, float] | Mapping[tuple[str, ...], float],
) -> Metric:
    samples: list[Plain] = []
    for key, value in values.items():
        parts = (key,) if isinstance(key, str) else key
        samples.append((dict(zip(labels, parts, strict=True)), float(value)))
    return Metric(name, help, kind, tuple(samples))
