"""Fixtures of every test: nothing may be left behind.

Tests that depend on time take pytest-trio's `autojump_clock`: time then passes at once,
and comes out exact. Only tests of real sockets, threads and processes use the real clock.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Generator
from contextlib import nullcontext
from typing import Any

import pytest
import trio
from hypothesis import HealthCheck, settings
from trio.testing import wait_all_tasks_blocked

from actors.system import System
from tests.leftovers import TaskWatch, Traces, relics
from tests.roads import ROADS, road, runs_actors

settings.register_profile(
    "actors", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("deep", settings.get_profile("actors"))  # see rounds.py
settings.load_profile("actors")


@pytest.fixture(autouse=True)
def no_leftovers(monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    """After the test no thread, process, socket, pipe or part of a system is left."""
    systems: list[System] = []
    made = System.__init__

    def remember(system: System, *args: Any, **kwargs: Any) -> None:
        systems.append(system)
        made(system, *args, **kwargs)

    monkeypatch.setattr(System, "__init__", remember)
    before = Traces()
    yield
    left = relics(systems) + before.left_behind()
    if left:
        pytest.fail("left behind: " + "; ".join(left), pytrace=False)


_ON_BOTH_ROADS = frozenset(
    {"core", "supervision", "timeouts", "monitor", "cancellation"}
    | {"test_system", "test_system_block", "test_system_closing", "test_system_tree"}
)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The tests of actors run on both roads: with a task each, and without.

    A module that says `TAKES_NO_ROAD` sees actors as they are.
    """
    folder = metafunc.module.__name__.removeprefix("tests.").split(".")[0]
    if getattr(metafunc.module, "TAKES_NO_ROAD", False):
        return
    if folder in _ON_BOTH_ROADS and runs_actors(metafunc.module):
        metafunc.parametrize("on_road", ROADS, indirect=True)


@pytest.fixture(autouse=True)
def on_road(request: pytest.FixtureRequest) -> Generator[str | None]:
    """The road that the actors of the test take; None where it is left to them."""
    name: str | None = getattr(request, "param", None)
    with nullcontext() if name is None else road(name):
        yield name


def _leaving_no_task(test: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """`test`, failing when it leaves a trio task."""

    @functools.wraps(test)
    async def watched(*args: Any, **kwargs: Any) -> None:
        with TaskWatch() as watch:
            await test(*args, **kwargs)
        await wait_all_tasks_blocked()
        left = watch.left_behind(trio.lowlevel.current_task())
        if left:
            pytest.fail("left behind: " + "; ".join(left), pytrace=False)

    return watched


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Watch the tasks of async tests, also inside hypothesis."""
    if isinstance(item, pytest.Function) and item.get_closest_marker("trio") is not None:
        examples = getattr(item.obj, "hypothesis", None)
        if examples is None:
            item.obj = _leaving_no_task(item.obj)
        else:
            examples.inner_test = _leaving_no_task(examples.inner_test)
    return (yield)
