"""Spans of streams: from the call to the last chunk, the handler within."""

from __future__ import annotations

import pytest
from trio.testing import MockClock

import actors
from actors.observe.export.otel import trace
from tests.core.test_stream import taken
from tests.core.yielders import Count, Give, Yielder, give
from tests.observe.export.test_spans import Spans
from tests.remote.streamers import reached

TAKES_NO_ROAD = True


async def test_a_stream_is_one_span_from_its_call_to_its_end(autojump_clock: MockClock) -> None:
    spans = Spans()
    async with actors.open_system("alpha") as system:
        with trace(system, spans.provider):
            ref = system.spawn(Yielder, [], name="a")
            with spans.tracer.start_as_current_span("visit"):
                assert await taken(ref.stream(Count(30))) == ([*range(30)], None)
            assert spans.chain("ask Count")[1:] == ["visit"]
            assert spans.chain("Yielder.handle Count") == ["Yielder.handle Count", "ask Count", "visit"]
            assert await taken(system.spawn(give, []).stream(Give(3))) == ([0, 1, 2], None)


@pytest.mark.parametrize("road", ["home", "child"])
async def test_a_trace_goes_with_a_stream_over_a_link(road: str, autojump_clock: MockClock) -> None:
    spans = Spans()
    async with reached(road) as scene:
        alpha, beta = scene.systems[:2]
        with trace(alpha, spans.provider), trace(beta, spans.provider):
            with spans.tracer.start_as_current_span("visit"):
                assert await taken(scene.ref.stream(Count(30), window=4)) == ([*range(30)], None)
            assert spans.chain("ask Count") == ["ask Count", "visit"]
