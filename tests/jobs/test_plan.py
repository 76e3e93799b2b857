"""The plan of a batch, without a loop: slots, stagger, names, rests, waves, and how long it can take."""

from __future__ import annotations

import heapq
import itertools
import math
from typing import Any

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from actors import Backoff, Job, Outcome, Policy, Timeout
from actors.jobs import longest
from actors.jobs.graph import keys, links, waves
from actors.jobs.plan import Names, Plan


async def noop(ctx: Any) -> None: ...


# --- what may start ---------------------------------------------------------------


def plan_of(count: int, limit: int = 2, stagger: float = 0.0, names: Any = None, after: Any = None) -> Plan:
    return Plan(after or [()] * count, names or [None] * count, limit=limit, stagger=stagger)


def everybody(name: str) -> bool:
    return True


def nobody(name: str) -> bool:
    return False


def takes(plan: Plan, now: float = 0.0, claim: Any = everybody) -> list[int]:
    """All that may start now."""
    found: list[int] = []
    while (index := plan.take(now, claim)) is not None:
        plan.begin(now)
        found.append(index)
    return found


def test_no_more_than_the_limit_start() -> None:
    """A slot that comes back goes to the next in input order."""
    plan = plan_of(5)
    assert takes(plan) == [0, 1]
    plan.end(1)
    assert takes(plan) == [2]
    assert (plan.running, plan.open, plan.next_due()) == (2, (0, 2, 3, 4), math.inf)


@pytest.mark.row(37)
def test_stagger_holds_no_slot() -> None:
    """The time of the next start counts from the last one; ends do not matter."""
    plan = plan_of(3, limit=1, stagger=0.25)
    assert takes(plan) == [0]
    plan.end(0)
    assert (plan.running, plan.next_due()) == (0, 0.25)
    assert takes(plan, 0.2) == []
    assert takes(plan, 0.25) == [1]
    assert plan.next_due() == math.inf


def test_a_slot_that_starts_nothing_costs_no_stagger() -> None:
    """A job that its breaker refused was never begun."""
    plan = plan_of(2, stagger=10.0)
    assert plan.take(0.0, everybody) == 0
    plan.end(0)
    assert plan.take(0.0, everybody) == 1


def test_a_rested_job_goes_before_new_ones() -> None:
    """And it needs no stagger."""
    plan = plan_of(4, limit=1, stagger=1.0)
    assert takes(plan) == [0]
    plan.rest(0, 5.0)
    assert (plan.running, plan.next_due()) == (0, 1.0)
    assert takes(plan, 1.0) == [1]
    plan.end(1)
    assert plan.take(5.0, everybody) == 0
    plan.end(0)
    assert takes(plan, 5.0) == [2]


def test_rests_end_in_the_order_of_their_times() -> None:
    """Equal ones in input order."""
    plan = plan_of(3, limit=3)
    takes(plan)
    for index, due in enumerate([2.0, 1.0, 1.0]):
        plan.rest(index, due)
    assert plan.next_due() == 1.0
    assert [plan.take(2.0, everybody) for _ in range(4)] == [1, 2, 0, None]


def test_a_blocked_job_lets_others_pass() -> None:
    """It holds no slot, and is the first of its name when that comes free."""
    plan = plan_of(4, limit=2, names=["x", "x", "x", None])
    names = Names()

    def claim(name: str) -> bool:
        return names.take(name, plan.free)

    assert takes(plan, 0.0, claim) == [0, 3]
    plan.end(0)
    names.give_back("x")
    assert takes(plan, 0.0, claim) == [1]


def test_a_name_that_another_batch_has_blocks_too() -> None:
    """Whoever waits is told in order, and may find it taken again."""
    first, second = plan_of(1, names=["x"]), plan_of(1, names=["x"])
    names = Names()
    assert takes(first, 0.0, lambda name: names.take(name, first.free)) == [0]
    assert takes(second, 0.0, lambda name: names.take(name, second.free)) == []
    assert takes(second, 0.0, nobody) == []
    first.end(0)
    names.give_back("x")
    assert takes(second, 0.0, nobody) == []
    second.free("x")
    assert takes(second, 0.0, lambda name: names.take(name, second.free)) == [0]
    names.forget(first.free)
    names.give_back("x")
    assert len(names) == 0


def test_a_job_starts_when_all_before_it_have_ended() -> None:
    """Those that came free wait in input order."""
    plan = plan_of(4, limit=4, after=[(2, 3), (3,), (), ()])
    assert takes(plan) == [2, 3]
    plan.end(3)
    assert takes(plan) == [1]
    plan.end(2)
    assert takes(plan) == [0]
    plan.end(0)
    plan.end(1)
    assert plan.done


def test_what_ended_earlier_is_not_started() -> None:
    """And keeps nobody waiting, also when it came after others itself."""
    plan = Plan([(), (0,), (1,), (0,)], [None] * 4, limit=4, ended=[1, 3])
    assert takes(plan) == [0, 2]
    plan.end(0)
    plan.end(2)
    assert plan.done


def test_a_closed_plan_starts_nothing() -> None:
    """It tells who will never run; those that run are seen through."""
    plan = plan_of(4, limit=2, after=[(), (), (), (0,)])
    takes(plan)
    plan.rest(1, 3.0)
    assert plan.close() == (1, 2, 3)
    for index in plan.close():
        plan.end(index)
    assert (takes(plan, 9.0), plan.next_due(), plan.open) == ([], math.inf, (0,))
    plan.end(0)
    assert plan.done


# --- any batch --------------------------------------------------------------------


@attrs.frozen
class Part:
    """One job of a simulated batch: how long each of its runs takes, and how long it rests between them."""

    runs: tuple[float, ...]
    rest: float
    name: str | None
    after: tuple[int, ...]


@st.composite
def parts(draw: st.DrawFn) -> list[Part]:
    found: list[Part] = []
    for index in range(draw(st.integers(1, 8))):
        name = draw(st.sampled_from([None, None, "x", "y"]))
        runs = draw(
            st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.5]), min_size=1, max_size=1 if name is None else 3)
        )
        after = draw(st.sets(st.integers(0, index - 1), max_size=2)) if index else set[int]()
        found.append(Part(tuple(runs), draw(st.sampled_from([0.0, 0.5, 3.0])), name, tuple(sorted(after))))
    return found


class Simulation:
    """Carries a plan out on a clock of its own, and checks every rule on the way."""

    def __init__(self, batch: list[Part], limit: int, stagger: float) -> None:
        self.batch, self.limit, self.stagger = batch, limit, stagger
        self.plan = Plan(
            [part.after for part in batch], [part.name for part in batch], limit=limit, stagger=stagger
        )
        self.names = Names()
        self.now = 0.0
        self.runs = [0] * len(batch)
        self.starts: dict[int, float] = {}
        self.last_start = -math.inf
        self.ended: dict[int, float] = {}
        self.holders: dict[str, int] = {}
        self.due: list[tuple[float, int]] = []
        self.resting: set[int] = set()

    def claim(self, name: str) -> bool:
        return self.names.take(name, self.plan.free)

    def run(self) -> float:
        while not self.plan.done:
            while (index := self.plan.take(self.now, self.claim)) is not None:
                self.start(index)
            self.check_nobody_waits_in_vain()
            after = min(self.due[0][0] if self.due else math.inf, self.plan.next_due())
            assert self.now <= after < math.inf, "it hangs"
            self.now = after
            while self.due and self.due[0][0] <= self.now:
                self.run_ends(heapq.heappop(self.due)[1])
        assert len(self.names) == 0
        return self.now

    def start(self, index: int) -> None:
        part = self.batch[index]
        if index not in self.starts:
            self.check_first_start(index, part)
            self.starts[index] = self.last_start = self.now
            self.plan.begin(self.now)
            if part.name is not None:
                assert part.name not in self.holders
                self.holders[part.name] = index
        self.resting.discard(index)
        heapq.heappush(self.due, (self.now + part.runs[self.runs[index]], index))
        self.runs[index] += 1
        assert self.plan.running == len(self.due) <= self.limit

    def check_first_start(self, index: int, part: Part) -> None:
        assert self.now >= self.last_start + self.stagger
        assert all(earlier in self.ended for earlier in part.after)
        for former in range(index):  # in input order, but for those that cannot start
            if former not in self.starts:
                assert not self.is_startable(former), f"{index} before {former}"

    def is_startable(self, index: int) -> bool:
        part = self.batch[index]
        return part.name not in self.holders and all(earlier in self.ended for earlier in part.after)

    def run_ends(self, index: int) -> None:
        part = self.batch[index]
        if self.runs[index] < len(part.runs):
            self.resting.add(index)
            self.plan.rest(index, self.now + part.rest)
            return
        self.ended[index] = self.now
        self.plan.end(index)
        if part.name is not None:
            assert self.holders.pop(part.name) == index
            self.names.give_back(part.name)

    def check_nobody_waits_in_vain(self) -> None:
        """With a slot left, everybody who could start has started, or waits for the stagger."""
        if len(self.due) == self.limit or self.now < self.last_start + self.stagger:
            return
        waiting = (index for index in range(len(self.batch)) if index not in self.starts)
        assert not any(self.is_startable(index) for index in waiting)


STAGGERS = st.sampled_from([0.0, 0.25, 2.0])


@pytest.mark.row(38)
@given(batch=parts(), limit=st.integers(1, 4), stagger=STAGGERS)
@example(batch=[Part((1.0, 1.0), 0.0, "x", ()), Part((1.0,), 0.0, "x", ())], limit=1, stagger=0.0)
def test_every_batch_keeps_the_rules_and_ends_in_time(batch: list[Part], limit: int, stagger: float) -> None:
    """Slots, names, order, stagger, waves; nobody waits in vain; never longer than `longest` says."""
    took = Simulation(batch, limit, stagger).run()
    jobs: list[Job] = []
    for part in batch:
        policy = Policy(retries=len(part.runs) - 1, backoff=Backoff.fixed(part.rest))
        timeout = max(part.runs) or 1e-9
        jobs.append(
            Job(noop, name=part.name, policy=policy, timeout=timeout, after=[jobs[one] for one in part.after])
        )
    assert took <= longest(jobs, limit, stagger) + 1e-9


# --- how long it can take ---------------------------------------------------------

FIXED = Timeout("fixed", 10.0)


@pytest.mark.row(38)
@pytest.mark.parametrize(
    ("jobs", "limit", "seconds"),
    [
        ([], 1, 0.0),
        ([Job(noop)], 1, math.inf),
        ([Job(noop, timeout=5)], 1, 5.0),
        ([Job(noop, timeout=5, fallback=noop)], 1, 10.0),
        ([Job(noop, policy=Policy(timeout=FIXED))], 1, 10.0),
        ([Job(noop, policy=Policy(timeout=Timeout(maximum=300)))], 1, 300.0),
        ([Job(noop, timeout=5, policy=Policy(retries=3))], 1, 5.0),
        ([Job(noop, timeout=5, name="x", policy=Policy(retries=2, backoff=Backoff.fixed(1.0)))], 1, 17.0),
        (
            [
                Job(
                    noop,
                    timeout=5,
                    name="x",
                    policy=Policy(retries=1, backoff=Backoff(initial=1.0, jitter=0.5)),
                )
            ],
            1,
            11.5,
        ),
        ([Job(noop, timeout=5) for _ in range(3)], 1, 15.0),
        ([Job(noop, timeout=5) for _ in range(3)], 3, 5.0),
        ([Job(noop, timeout=5, name="x") for _ in range(3)], 3, 15.0),
        ([Job(noop, timeout=5, label="a"), Job(noop, timeout=7, after=["a"])], 9, 12.0),
        ([Job(noop, outcome=Outcome(ok=True), label="a"), Job(noop, timeout=7, after=["a"])], 1, 7.0),
    ],
)
def test_the_longest_time(jobs: list[Job], limit: int, seconds: float) -> None:
    """Runs, retries with their spread backoff, the fallback, names and waves count."""
    assert longest(jobs, limit) == pytest.approx(seconds)


def test_the_longest_time_counts_staggered_starts() -> None:
    """One less than there are jobs; the policy of the system is that of jobs without one."""
    jobs = [Job(noop) for _ in range(5)]
    assert longest(jobs, 5, 2.0, Policy(timeout=FIXED)) == 18.0


# --- who comes after whom ---------------------------------------------------------


def test_jobs_are_named_by_object_label_or_name() -> None:
    """Twice the same is once."""
    a, b = Job(noop, label="first"), Job(noop, name="second")
    jobs = [Job(noop, after=[a, "second", b]), a, b]
    assert links(jobs) == ((1, 2), (), ())


def test_a_job_is_called_by_what_is_its_own() -> None:
    """Its label, else its name; its index where another one is called so too."""
    jobs = [
        Job(noop, label="a", name="x"),
        Job(noop, name="x"),
        Job(noop, name="y"),
        Job(noop, label="y"),
        Job(noop),
    ]
    assert keys(jobs) == ("a", 1, 2, 3, 4)


@pytest.mark.parametrize(
    ("jobs", "text"),
    [
        ([Job(noop, after=["nobody"])], r"jobs\[0\] comes after 'nobody', which is not in this batch"),
        ([Job(noop, after=[Job(noop)])], r"jobs\[0\] comes after Job.*, which is not in this batch"),
        (
            [Job(noop, label="a"), Job(noop, name="a"), Job(noop, after=["a"])],
            r"jobs\[2\] comes after 'a', which may be jobs\[0\], jobs\[1\]: give each of them a label",
        ),
        ([Job(noop, label="a", after=["a"])], "circle: a → a"),
        ([Job(noop, label="a", after=["b"]), Job(noop, label="b", after=["a"])], "circle: a → b → a"),
        (
            [
                Job(noop, label="out", after=["b"]),
                Job(noop, label="c", after=["b"]),
                Job(noop, name="b", after=["free", "a"]),
                Job(noop, label="a", after=["c"]),
                Job(noop, label="free"),
            ],
            "circle: c → b → a → c. Take one of them out",
        ),
    ],
)
def test_links_that_cannot_be(jobs: list[Job], text: str) -> None:
    """Unknown, ambiguous, or in a circle, which is named: each waits for the next."""
    with pytest.raises(ValueError, match=text):
        links(jobs)


def test_one_object_twice_is_ambiguous() -> None:
    """As an entry it is fine."""
    job = Job(noop)
    assert links([job, job]) == ((), ())
    with pytest.raises(ValueError, match="which may be"):
        links([job, job, Job(noop, after=[job])])


def test_waves_are_in_input_order() -> None:
    """Each job is in the wave after the last of those before it."""
    assert waves([(3,), (), (0, 1), ()]) == ((1, 3), (0,), (2,))
    assert waves([]) == ()


def test_a_circle_without_names_is_told_by_index() -> None:
    with pytest.raises(ValueError, match=r"circle: jobs\[0\] → jobs\[1\] → jobs\[0\]"):
        waves([(1,), (0,)])


@given(st.lists(st.sets(st.integers(0, 6), max_size=3), min_size=1, max_size=7))
def test_waves_exist_unless_there_is_a_circle(after: list[set[int]]) -> None:
    """Then each job comes later than all before it; else the circle that is told is one."""
    found = [tuple(sorted(one for one in before if one < len(after))) for before in after]
    try:
        order = list(itertools.chain(*waves(found)))
    except ValueError as error:
        shown = str(error).partition("circle: ")[2].partition(".")[0]
        circle = [int(part.removeprefix("jobs[").removesuffix("]")) for part in shown.split(" → ")]
        assert all(later in found[earlier] for earlier, later in itertools.pairwise(circle))
        assert circle[0] == circle[-1]
    else:
        assert sorted(order) == list(range(len(after)))
        assert all(
            order.index(one) < order.index(index) for index, before in enumerate(found) for one in before
        )
