"""Two hosts, each on a network of its own, and a cable between them that is pulled out and put back."""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
import trio

from tests.remote.host import PATIENCE, Host, Net, host, networks, no_namespaces, until_dead

pytestmark = pytest.mark.timeout(170)

CYCLES = 12
"""After as many each way of breaking has met each way of ending."""
GAPS = (0.1, 0.3, 0.6, 1.0, 1.6, 0.2, 0.5, 2.4, 0.4, 4.0)
"""Seconds that the link is down, in turn: from a hiccup to a good part of the lease."""
AGREE = 10.0
"""Seconds after each healing within which both ends must be UP and heard."""


@functools.cache
def _missing() -> str | None:
    return no_namespaces()


@pytest.fixture(autouse=True)
def _namespaces() -> None:
    missing = _missing()
    if missing is not None:
        pytest.skip(missing)


@asynccontextmanager
async def two_hosts(lease: float) -> AsyncGenerator[tuple[Host, Host, Net, Net]]:
    """beta listens, alpha has dialled; each has a ledger for what the other sends."""
    with networks() as (left, right):
        async with (
            host("alpha", lease=lease, namespace=left.name, address=None) as alpha,
            host("beta", lease=lease, namespace=right.name, address=right.address) as beta,
        ):
            for one in (alpha, beta):
                await one.do("keep_ledger", pace=0.001)
            await alpha.do("connect", url=beta.url, token="secret")
            yield alpha, beta, left, right


async def agree(alpha: Host, beta: Host) -> None:
    """Both see the other as UP, and hear it."""
    with trio.fail_after(AGREE):
        async with trio.open_nursery() as nursery:
            for one, other in ((alpha, "beta"), (beta, "alpha")):
                nursery.start_soon(_hears, one, other)


async def _hears(one: Host, other: str) -> None:
    assert await one.do("ask", node=other, path="/echo", text="hello") == "hello"
    await one.do("wait_state", node=other, state="UP")


async def _break(how: int, left: Net, right: Net, seconds: float) -> None:
    """Pull the cable on either side, or lose what goes one way; now and then TCP itself ends in between."""
    one, other = (left, right) if how % 4 < 2 else (right, left)
    if how % 2:
        one.deafen(True)
    else:
        one.cable("down")
    try:
        if how % 3 == 0:
            other.cut()
        await trio.sleep(seconds)
    finally:
        if how % 2:
            one.deafen(False)
        else:
            one.cable("up")


async def test_a_link_that_comes_and_goes_loses_and_doubles_nothing() -> None:
    """Twelve times, both ways and one way, with traffic in both directions: in order, and nobody is DOWN."""
    async with two_hosts(lease=15.0) as (alpha, beta, left, right):
        senders = {"alpha": ["a1", "a2", "a3"], "beta": ["b1", "b2", "b3"]}
        await alpha.do("traffic", node="beta", senders=senders["alpha"])
        await beta.do("traffic", node="alpha", senders=senders["beta"])
        for cycle in range(CYCLES):
            await _break(cycle, left, right, GAPS[cycle % len(GAPS)])
            await agree(alpha, beta)
        sent = {one.name: await one.do("end_traffic") for one in (alpha, beta)}
        assert await beta.do("faults", counts=sent["alpha"]) == []
        assert await alpha.do("faults", counts=sent["beta"]) == []
        for one in (alpha, beta):
            assert set(sent[one.name]) == set(senders[one.name])
            assert min(sent[one.name].values()) > 100
            assert not one.has_seen("NodeDown")
        assert alpha.has_seen("NodeReconnecting") or beta.has_seen("NodeReconnecting")


@pytest.mark.parametrize("how", [0, 1], ids=["both-ways", "one-way"])
async def test_a_gap_longer_than_the_lease_is_the_end_of_what_runs_there(how: int) -> None:
    """Both ends see DOWN, the subtree is gone, and afterwards a new session works."""
    async with two_hosts(lease=2.0) as (alpha, beta, left, right):
        await alpha.do("spawn", what="Crew", name="crew", on="beta")
        pid = (await beta.saw("command"))["pid"]
        breaks = trio.CancelScope()
        async with trio.open_nursery() as nursery:

            async def broken() -> None:
                with breaks:
                    await _break(how, left, right, 60)

            nursery.start_soon(broken)
            await alpha.saw("NodeDown", node="beta")
            await beta.saw("NodeDown", node="alpha")
            assert (await alpha.saw("ended", path="/crew"))["kind"] == "NODE_DOWN"
            with trio.fail_after(PATIENCE):
                await beta.do("gone", path="/system/nodes/alpha/crew")
            await until_dead(pid, 2)
            breaks.cancel()
        ups = len(beta.facts)
        await alpha.do("connect", url=beta.url, token="secret")
        await beta.saw("NodeUp", after=ups, node="alpha")
        await agree(alpha, beta)
        await alpha.do("spawn", what="Crew", name="crew", on="beta")
