"""How soon is a bad agent known, and what do many cost? With real processes, beside the reference's figures.

`python -m benchmarks.bench_detection [--runs N]`. Latencies run from the moment at which the
evidence was there (the child wrote, the limit was reached) to the moment at which its whole
process group is gone.
"""

from __future__ import annotations

import argparse
import contextlib
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence

import trio

import actors
from actors.process import Command

LIMIT_MS = 50.0
RATIO = 8.0
SCOPES = 1.5

_WRITES = (
    "import sys, time; time.sleep(0.05); "
    "sys.stderr.write(f'{sys.argv[1]} {time.monotonic()}\\n'); sys.stderr.flush(); time.sleep(30)"
)
_FLOOD = (
    "import sys; line = b'an ordinary line of output, and nothing to be seen in it ......\\n' * 1024\n"
    "for _ in range(int(sys.argv[1])): sys.stderr.buffer.write(line)"
)


def python(code: str, *arguments: str) -> Command:
    """A small Python process."""
    return Command([sys.executable, "-S", "-c", code, *arguments], max_output=4096)


# --- detection ------------------------------------------------------------------


async def pattern_latency(system: actors.System, text: str) -> float:
    """Seconds from the child's write to the end of its group."""
    ref = system.spawn(python(_WRITES, text), policy=actors.Policy(stall=actors.Stall()))
    exit = await ref.wait_stopped()
    ended = time.monotonic()
    assert isinstance(exit.error, actors.PatternFound), exit
    return ended - float(exit.error.line.split()[-1])


async def overshoot(system: actors.System, policy: actors.Policy, limit: float) -> float:
    """Seconds by which a silent child outlives its limit."""
    ref = system.spawn(python("import time; time.sleep(30)"), policy=policy)
    await ref.wait_started()
    began = time.monotonic()
    await ref.wait_stopped()
    return time.monotonic() - began - limit


async def detection(runs: int) -> None:
    """The table of latencies."""
    silence = actors.Policy(timeout=actors.Timeout("fixed", 30.0, no_activity=1.0))
    stall = actors.Policy(
        stall=actors.Stall(threshold=0.9, check_interval=0.1, min_output=0, confirmations=1)
    )
    async with actors.open_system("bench") as system:
        cases: list[tuple[str, str, Callable[[], object]]] = [
            ("rate limit", "0.2 s", lambda: pattern_latency(system, "rate limit exceeded")),
            ("authentication failed", "0.2 s", lambda: pattern_latency(system, "authentication failed")),
            ("silence of 1 s, beyond it", "1.0 s", lambda: overshoot(system, silence, 1.0)),
            ("stall of 1 s, beyond it", "0.2 s", lambda: overshoot(system, stall, 1.0)),
        ]
        print("\nFrom the evidence to the end of the process group")
        print(f"{'failure':<28}{'reference':>10}{'p50':>11}{'p95':>11}{'p99':>11}")
        for name, reference, measure in cases:
            count = runs if "limit" in name or "auth" in name else max(5, runs // 10)
            taken = sorted([await measure() for _ in range(count)])  # type: ignore[misc]
            p50, p95, p99 = (1000 * taken[min(count - 1, int(share * count))] for share in (0.5, 0.95, 0.99))
            print(
                f"{name:<28}{reference:>10}{p50:>8.1f} ms{p95:>8.1f} ms{p99:>8.1f} ms  "
                f"{verdict(p99 < LIMIT_MS, f'p99 < {LIMIT_MS:g} ms')}"
            )


def verdict(reached: bool, aim: str) -> str:
    """Whether an aim was reached."""
    return f"{'reached' if reached else 'NOT reached'} ({aim})"


# --- many at once ---------------------------------------------------------------


async def parallel() -> None:
    """Batches of real processes, each sleeping for a known time."""
    cases = [
        (20, 10, 0.1, 0.5, "4.0 -> 2.0 s", 2.0),
        (30, 10, 0.2, 0.5, "9.0 -> 2.5 s", 2.5),
        (50, 5, 0.05, 0.14, "10.0 -> 5.0 s", 5.0),
    ]
    print("\nMany processes under a limit")
    print(f"{'processes':<12}{'limit':>6}{'reference':>16}{'wall':>9}{'sum of times':>14}{'ratio':>8}")
    async with actors.open_system("bench") as system:
        for count, limit, least, most, reference, aim in cases:
            naps = [least + (most - least) * (index * 7 % count) / count for index in range(count)]
            jobs = [actors.Job(Command(["sleep", f"{nap:.3f}"])) for nap in naps]
            began = time.monotonic()
            outcomes = await system.run_jobs(jobs, limit=limit)
            wall = time.monotonic() - began
            assert all(outcome.ok for outcome in outcomes)
            total = sum(outcome.elapsed for outcome in outcomes)
            reached = wall < aim and (limit < 10 or count < 30 or total / wall >= RATIO)
            said = f"< {aim:g} s" + (f", ratio >= {RATIO:g}" if limit == 10 and count == 30 else "")
            print(
                f"{count:<12}{limit:>6}{reference:>16}{wall:>7.2f} s{total:>12.2f} s{total / wall:>8.1f}  "
                f"{verdict(reached, said)}"
            )


# --- output ---------------------------------------------------------------------


async def output() -> None:
    """Much output, scanned for patterns: linear in time, flat in memory."""
    print("\nOutput scanned for the default patterns")
    print(f"{'output':<12}{'time':>9}{'a second':>12}{'peak of this process':>24}")
    async with actors.open_system("bench") as system:
        times: list[float] = []
        for megabytes in (10, 100):
            ref = system.spawn(
                python(_FLOOD, str(megabytes * 16)), policy=actors.Policy(stall=actors.Stall())
            )
            began = time.monotonic()
            exit = await ref.wait_stopped()
            assert exit.kind is actors.ExitKind.NORMAL, exit
            times.append(time.monotonic() - began)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(f"{megabytes:>6} MB   {times[-1]:>7.2f} s{megabytes / times[-1]:>9.0f} MB{peak:>21.0f} MB")
        print(verdict(times[1] < 15 * times[0], "100 MB in less than 15 times the time of 10 MB"))


# --- what it costs --------------------------------------------------------------


async def costs() -> None:
    """A deadline beside a bare scope, and what a thousand idle agents do."""
    clock = trio.lowlevel.current_clock().current_time
    timeout = actors.Timeout()

    def bare() -> None:
        with trio.CancelScope(deadline=clock() + 60):  # noqa: ASYNC100
            pass

    def ours() -> None:
        with actors.progressive_timeout(timeout):
            pass

    scope, deadline = interleaved([bare, ours])
    print("\nWhat it costs")
    print(
        f"progressive_timeout: {1e6 * deadline:.1f} µs, a bare trio.CancelScope {1e6 * scope:.1f} µs: "
        f"{deadline / scope:.2f} times, {verdict(deadline / scope <= SCOPES, f'<= {SCOPES:g}')}"
    )
    steps = await idle_steps(1000, 10.0)
    print(f"1,000 monitored idle agents for 10 s: {steps} task steps, {verdict(steps == 0, '0')}")


def interleaved(ways: Sequence[Callable[[], None]], rounds: int = 9, times: int = 3000) -> list[float]:
    """Seconds a call, the median of interleaved rounds."""
    taken: list[list[float]] = [[] for _ in ways]
    for _ in range(rounds):
        for way, seen in zip(ways, taken, strict=True):
            began = time.perf_counter()
            for _ in range(times):
                way()
            seen.append((time.perf_counter() - began) / times)
    return [statistics.median(seen) for seen in taken]


class _Steps(trio.abc.Instrument):
    """Counts the steps of all tasks but one."""

    def __init__(self, but: trio.lowlevel.Task) -> None:
        self.but = but
        self.count = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        """One more."""
        self.count += task is not self.but


async def _agent(ctx: actors.Context) -> None:
    async for _ in ctx.inbox:
        pass


async def idle_steps(agents: int, seconds: float) -> int:
    """The steps that monitored agents with empty hands take."""
    policy = actors.Policy(stall=actors.Stall())
    async with actors.open_system("bench") as system:
        for _ in range(agents):
            system.spawn(_agent, policy=policy)
        await trio.sleep(0.5)
        steps = _Steps(trio.lowlevel.current_task())
        trio.lowlevel.add_instrument(steps)
        await trio.sleep(seconds)
        trio.lowlevel.remove_instrument(steps)
        return steps.count


async def everything(runs: int) -> None:
    """All tables."""
    await detection(runs)
    await parallel()
    await output()
    await costs()


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_detection", description=__doc__)
    parser.add_argument("--runs", type=int, default=100, help="processes for each pattern (default 100)")
    options = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        trio.run(everything, options.runs)


if __name__ == "__main__":
    main()
