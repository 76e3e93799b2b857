"""A system that shows everything: for the tests in a browser, and for the pictures in the docs."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import attrs
import trio

import actors
from actors.observe.web import Observatory, start_observatory

MARKUP = "<img src=x onerror=\"document.title='broken'\"><script>document.title='broken'</script>"


@attrs.frozen
class Order:
    """Work."""

    what: str
    seconds: float = 0.0


class Kettle(actors.Actor):
    """Boils, and fails over anything else."""

    @actors.receive
    async def boil(self, order: Order) -> None:
        if order.what != "water":
            raise ValueError(f"cannot boil {order.what}") from KeyError("element")
        await trio.sleep(order.seconds)


class Reader(actors.Actor):
    """Reads for a while."""

    @actors.receive
    async def read(self, order: Order) -> str:
        await trio.sleep(order.seconds)
        return order.what


class Crew(actors.Supervisor):
    """A team: names, classes, policies."""

    strategy = actors.OneForOne(max_restarts=50)

    def __init__(self, *members: tuple[str, type[actors.Actor], actors.Policy | None]) -> None:
        self._members = members

    async def on_start(self) -> None:
        for name, what, policy in self._members:
            self.spawn(what, name=name, policy=policy)


@attrs.frozen
class Scene:
    """What a test or a picture works with."""

    system: actors.System
    observatory: Observatory
    refs: dict[str, actors.Ref]
    answers: dict[str, object]
    ask: Callable[..., None]


@asynccontextmanager
async def scene(name: str = "tearoom", *, rich: bool = False, **settings: object) -> AsyncGenerator[Scene]:
    """A system with a page."""
    async with actors.open_system(name) as system, trio.open_nursery() as nursery:
        observatory = await start_observatory(system, **settings)  # type: ignore[arg-type]
        answers: dict[str, object] = {}

        def ask(kind: str, text: str, options: tuple[object, ...] = (), **more: object) -> None:
            async def wait() -> None:
                try:
                    answer = await system.desk.request(kind, text, options, **more)  # type: ignore[arg-type]
                    answers[text] = answer.value
                except actors.NoAnswer:
                    answers[text] = "nobody"

            nursery.start_soon(wait)

        refs = {"kettle": system.spawn(Kettle, name="kettle")}
        if rich:
            await _fill(system, refs, ask)
        try:
            yield Scene(system, observatory, refs, answers, ask)
        finally:
            nursery.cancel_scope.cancel()


async def _fill(system: actors.System, refs: dict[str, actors.Ref], ask: Callable[..., None]) -> None:
    long = actors.Timeout(mode="fixed", initial=90, no_activity=None)
    slow = actors.Policy(
        timeout=long, shutdown=0.1
    )  # they read for minutes: nobody waits for that in the end
    fragile = actors.Policy(restart="permanent", breaker=actors.Breaker(failures=2, reset_after=600))
    members = {
        "kitchen": [("oven", Kettle, fragile), ("stove", Kettle, None), ("cook", Reader, None)],
        "library": [(f"reader-{number}", Reader, slow) for number in (1, 2, 3)],
    }
    for crew, of in members.items():
        ref = system.spawn(Crew, *of, name=crew)
        await ref.wait_started()
        for name, _, _ in of:
            found = system.find(f"/{crew}/{name}")
            assert found is not None
            refs[name] = found
            await found.wait_started()
    for number in range(5):
        refs["reader-1"].tell(Order(f"chapter {number + 1}", 600))
    refs["reader-2"].tell(Order("the index", 600))
    for what in ("bread", "cake"):
        refs["oven"].tell(Order(what))
    refs["stove"].tell(Order("soup"))
    refs["kettle"].tell(Order("coffee"))
    refs["cook"].tell("a note that nobody reads: " + MARKUP)
    ask("approval", "Delete 214 old recipes from /srv/recipes?", to="ada", timeout=840.0, priority=2)
    ask("approval", "Deploy version 2.4 to the tea room?", timeout=3600.0)
    teas = ("Assam", "Darjeeling", "Earl Grey", "none")
    ask("choice", "Which tea for the guests at table 4?", teas, to="grace", timeout=300.0)
    ask("clarification", "The order says “the usual”. What is that for Mr Brown?", timeout=None)
    await trio.sleep(1.2)
