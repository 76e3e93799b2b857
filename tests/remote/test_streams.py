"""Streams over links: the same on every road, whatever is between asker and actor."""

from __future__ import annotations

import json
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from actors.remote.handshake import Welcome, shared_features
from actors.remote.wire import encode
from tests.core.test_stream import taken
from tests.core.yielders import Count, Give, Named
from tests.remote.cast import settled
from tests.remote.folk import link_of
from tests.remote.streamers import ROADS, Large, Odd, far_giver, reached

EVERY_ROAD = pytest.mark.parametrize("road", ROADS)


@EVERY_ROAD
async def test_chunks_come_in_order_each_once(road: str, autojump_clock: MockClock) -> None:
    async with reached(road) as scene:
        for upto, window in ((0, 1), (1, 1), (16, 16), (40, 1), (300, 7), (500, 1000)):
            assert await taken(scene.ref.stream(Count(upto), window=window)) == ([*range(upto)], None)
        assert await scene.ref.ask(Count(3)) == (0, 1, 2)
        scene.ref.tell(Count(2))
        assert await taken(scene.ref.stream(Named("bo"))) == (["bo"], None)


@EVERY_ROAD
@pytest.mark.parametrize("window", [1, 4, 16])
async def test_never_more_than_a_window_is_made_ahead(
    road: str, window: int, autojump_clock: MockClock
) -> None:
    async with reached(road) as scene:
        stream = scene.ref.stream(Count(200), window=window)
        for took in range(40):
            await settled()
            made = len(scene.log) - 1
            assert took < made <= took + window
            assert await anext(stream) == took
        await stream.aclose()
        await settled()
        assert scene.log[-2:] == ["Cancelled", "finally"]
        await scene.alive()


@EVERY_ROAD
@pytest.mark.parametrize("pause", [0.0, 0.25], ids=["at a yield", "at work"])
async def test_the_handler_is_cancelled_when_the_asker_leaves(
    road: str, pause: float, autojump_clock: MockClock
) -> None:
    async with reached(road) as scene:
        for many in (0, 1, 5):
            scene.log.clear()
            async with scene.ref.stream(Count(1000, pause), window=4) as stream:
                for number in range(many):
                    assert await anext(stream) == number
            await settled()
            assert scene.log in ([], ["begun", "Cancelled", "finally"]) or (
                scene.log[-2:] == ["Cancelled", "finally"]
            )
            assert len(scene.log) < 16
            await scene.alive()
        stream = scene.ref.stream(Count(1000), window=4)
        await settled()
        del stream
        await scene.alive()


@EVERY_ROAD
async def test_errors_come_behind_the_chunks_before_them(road: str, autojump_clock: MockClock) -> None:
    async with reached(road) as scene:
        chunks, error = await taken(scene.ref.stream(Count(3, error="broke"), window=2))
        assert chunks == [0, 1, 2]
        assert isinstance(error, actors.ActorFailed)
        assert "broke" in str(error)
        await trio.sleep(1)
        chunks, error = await taken(scene.ref.stream(Count(10, pause=1.0), timeout=3.5))
        assert chunks == [0, 1, 2]
        assert isinstance(error, actors.AskTimeout)
        await settled()
        assert scene.log[-2:] == ["Cancelled", "finally"]
        chunks, error = await taken(scene.ref.stream(Count(10, pause=1.0), idle=0.5))
        assert chunks == []
        assert isinstance(error, actors.AskTimeout)
        if road != "pool":  # which has nothing in hand itself
            stream = scene.ref.stream(Count(100), window=2)
            await settled()
            assert await scene.ref.interrupt()
            chunks, error = await taken(stream)
            assert chunks == [0, 1]
            assert isinstance(error, actors.Interrupted)
        await scene.alive()


@EVERY_ROAD
async def test_large_chunks_stay_in_order_and_too_large_ones_are_told(
    road: str, autojump_clock: MockClock
) -> None:
    """Long items travel in pieces: neither what follows nor the end passes them."""
    sizes = (10, 100_000, 3, 50_000, 1, 40_000)
    async with reached(road) as scene:
        chunks, error = await taken(scene.ref.stream(Large(sizes), window=3))
        assert [len(chunk) for chunk in chunks] == [*sizes]
        assert [chunk[0] for chunk in chunks] == [*"012345"]
        assert error is None
        chunks, error = await taken(scene.ref.stream(Large((10, 100_000, 3_000_000, 4))))
        assert [len(chunk) for chunk in chunks] == [10, 100_000]
        assert isinstance(error, actors.ActorFailed)
        assert "say it in parts, or raise max_message" in str(error)
        await scene.alive()


@EVERY_ROAD
async def test_a_chunk_that_cannot_travel_ends_the_stream_and_not_the_actor(
    road: str, autojump_clock: MockClock
) -> None:
    async with reached(road) as scene:
        chunks, error = await taken(scene.ref.stream(Odd()))
        assert chunks == [{"fine": (1, b"2")}]
        assert isinstance(error, actors.ActorFailed)
        assert "object" in str(error)
        await settled()
        assert scene.log[-1] == "finally"
        await scene.alive()


@EVERY_ROAD
async def test_a_function_over_there_gives_chunks_by_hand(road: str, autojump_clock: MockClock) -> None:
    async with reached(road, far_giver) as scene:
        assert await taken(scene.ref.stream(Give(20), window=3)) == ([*range(20)], None)
        assert await taken(scene.ref.stream(Give(2, reply=7))) == ([0, 1, 7], None)
        assert await scene.ref.ask(Give(3)) == (0, 1, 2)
        async with scene.ref.stream(Give(1000), window=2) as stream:
            await anext(stream)
        await settled()
        assert scene.log[-1] == "done"
        assert await scene.ref.ask(Give(1)) == (0,)


@pytest.mark.parametrize("road", ["child", "pool", "circle"])
async def test_our_child_over_there_is_tried_again_until_a_chunk_was_given(
    road: str, autojump_clock: MockClock
) -> None:
    async with reached(road, retries=1, restart="permanent") as scene:
        for many, tries in ((0, 2), (1, 1)):
            scene.log.clear()
            chunks, error = await taken(scene.ref.stream(Count(many, error="x")))
            assert chunks == [*range(many)]
            assert isinstance(error, actors.ActorFailed)
            assert scene.log.count("begun") == tries
            await trio.sleep(1)


@EVERY_ROAD
async def test_a_link_that_is_cut_and_mended_loses_and_doubles_nothing(
    road: str, autojump_clock: MockClock
) -> None:
    async with reached(road) as scene:
        cable = scene.world.cables["bg"] if road == "third" else scene.world.cable

        async def misfortune() -> None:
            for seconds in (0.3, 2.0, 5.0):
                await trio.sleep(1.7)
                cable.cut()
                await trio.sleep(seconds)
                cable.mend()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(misfortune)
            chunks: list[int] = []
            async for chunk in scene.ref.stream(Count(150), window=5):
                chunks.append(chunk)
                await trio.sleep(0.1)
            assert chunks == [*range(150)]
        await trio.sleep(5)


@EVERY_ROAD
async def test_a_full_buffer_holds_streams_up_whatever_their_window(
    road: str, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.remote.session.BUFFER_ITEMS", 100)
    async with reached(road) as scene:
        cable = scene.world.cables["bg"] if road == "third" else scene.world.cable
        stream = scene.ref.stream(Count(1000), window=5000)
        while len(scene.log) < 20:
            await trio.lowlevel.checkpoint()
        cable.cut()
        await settled()
        assert len(scene.log) < 500
        cable.mend()
        with trio.fail_after(60):
            assert await taken(stream) == ([*range(1000)], None)


@pytest.mark.parametrize("road", ["home", "child"])
async def test_a_lost_node_ends_the_stream_behind_what_came(road: str, autojump_clock: MockClock) -> None:
    async with reached(road, restart="temporary") as scene:
        stream = scene.ref.stream(Count(100), window=3)
        await settled()
        scene.world.cable.silent()
        await trio.sleep(60)
        chunks, error = await taken(stream)
        assert chunks == [0, 1, 2]
        assert isinstance(error, actors.ActorStopped if road == "home" else actors.ActorFailed)
        assert scene.log[-2:] == ["Cancelled", "finally"]


async def test_the_handler_is_cancelled_when_the_node_of_its_asker_is_gone(
    autojump_clock: MockClock,
) -> None:
    """The asker's node closes the link; nobody of it is there to say that it has left."""
    async with reached("home") as scene:
        stream = scene.ref.stream(Count(100), window=3)
        await settled()
        scene.world.peer.close()
        await settled()
        assert scene.log[-2:] == ["Cancelled", "finally"]
        chunks, error = await taken(stream)
        assert chunks == [0, 1, 2]
        assert isinstance(error, actors.ActorStopped)


@pytest.mark.parametrize("road", ["home", "child", "third"])
async def test_a_node_that_knows_no_streams_gives_a_clear_error(road: str, autojump_clock: MockClock) -> None:
    async with reached(road) as scene:
        between = scene.systems[1] if road == "third" else scene.systems[0]
        link_of(between, "gamma" if road == "third" else "beta").streams = False
        chunks, error = await taken(scene.ref.stream(Count(3)))
        assert chunks == []
        assert "knows no streams: ask it, or run the same version there" in str(error)
        assert isinstance(error, actors.ActorFailed if road == "third" else actors.LinkRefused)
        assert await scene.ref.ask(Count(3)) == (0, 1, 2)
        assert scene.log.count("begun") == 1


async def test_both_ends_say_that_they_know_streams_and_only_to_who_says_so(
    autojump_clock: MockClock,
) -> None:
    async with reached("home") as scene:
        assert link_of(scene.world.alpha, "beta").streams
        assert link_of(scene.world.beta, "alpha").streams
    assert "settings" not in json.loads(encode(welcome_to({"codec": "json"})))
    assert json.loads(encode(welcome_to({"streams": "1"})))["settings"] == {"streams": "1"}


def welcome_to(settings: dict[str, str]) -> Welcome:
    return Welcome(
        node="beta", incarnation="b", session="s", received=(0, 0), settings=shared_features(settings)
    )


@EVERY_ROAD
async def test_many_streams_at_once_do_not_mix(road: str, autojump_clock: MockClock) -> None:
    async with reached(road) as scene:
        results: list[Any] = []

        async def take(upto: int) -> None:
            results.append((upto, await taken(scene.ref.stream(Count(upto, 0.001), window=3))))

        async with trio.open_nursery() as nursery:
            for upto in range(12):
                nursery.start_soon(take, upto)
        assert sorted(results) == [(upto, ([*range(upto)], None)) for upto in range(12)]
