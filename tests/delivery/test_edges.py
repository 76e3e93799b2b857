"""What one actor may post to another: chains that end, and a rate for each edge."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.delivery import edges as module
from actors.delivery.edges import Edges
from actors.delivery.errors import HopLimitReached, PostRateExceeded
from actors.posting import Posting


@pytest.mark.row(98)
def test_a_chain_ends_at_the_limit_of_hops() -> None:
    edges = Edges(Posting(hops=3))
    for hops in range(3):
        edges.check("/a", "/b", hops, 0.0)
    with pytest.raises(HopLimitReached) as caught:
        edges.check("/a", "/b", 3, 0.0)
    assert (caught.value.sender, caught.value.path, caught.value.hops) == ("/a", "/b", 3)
    with pytest.raises(HopLimitReached, match="somebody"):
        edges.check(None, "/b", 3, 0.0)


def test_without_limits_anything_goes() -> None:
    edges = Edges(Posting(hops=None, per_minute=None))
    for _ in range(1000):
        edges.check("/a", "/b", 10_000, 0.0)


@pytest.mark.row(98)
def test_an_edge_has_its_rate_and_the_refusal_says_when_to_post_again() -> None:
    edges = Edges(Posting(per_minute=2))
    edges.check("/a", "/b", 0, 10.0)
    edges.check("/a", "/b", 0, 30.0)
    with pytest.raises(PostRateExceeded) as caught:
        edges.check("/a", "/b", 0, 40.0)
    assert (caught.value.sender, caught.value.path, caught.value.per_minute) == ("/a", "/b", 2)
    assert caught.value.retry_after == 30.0
    with pytest.raises(PostRateExceeded):
        edges.check("/a", "/b", 0, 69.999)
    edges.check("/a", "/b", 0, 70.0)


def test_edges_do_not_share_their_rates() -> None:
    edges = Edges(Posting(per_minute=1))
    for sender, path in [("/a", "/b"), ("/b", "/a"), ("/a", "/c")]:
        edges.check(sender, path, 0, 0.0)
        with pytest.raises(PostRateExceeded):
            edges.check(sender, path, 0, 0.0)


def test_code_outside_actors_has_no_rate() -> None:
    edges = Edges(Posting(per_minute=1))
    for _ in range(5):
        edges.check(None, "/b", 0, 0.0)


def test_a_refused_one_does_not_count() -> None:
    edges = Edges(Posting(per_minute=1, hops=5))
    with pytest.raises(HopLimitReached):
        edges.check("/a", "/b", 5, 0.0)
    edges.check("/a", "/b", 0, 0.0)
    for _ in range(3):
        with pytest.raises(PostRateExceeded):
            edges.check("/a", "/b", 0, 59.0)
    edges.check("/a", "/b", 0, 60.0)


def test_what_was_not_posted_after_all_is_taken_back() -> None:
    edges = Edges(Posting(per_minute=1))
    edges.check("/a", "/b", 0, 0.0)
    edges.take_back("/a", "/b")
    edges.check("/a", "/b", 0, 0.0)
    edges.take_back("/a", "/b")
    edges.take_back("/a", "/b")  # there is nothing more to be taken back
    edges.take_back(None, "/b")
    edges.take_back("/x", "/y")


def test_the_longest_silent_edge_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_EDGES", 2)
    edges = Edges(Posting(per_minute=2))
    for sender in ("/a", "/b", "/a", "/c"):
        edges.check(sender, "/x", 0, 0.0)
    with pytest.raises(PostRateExceeded):
        edges.check("/a", "/x", 0, 0.0)
    edges.check("/b", "/x", 0, 0.0)
    edges.check("/b", "/x", 0, 0.0)


@pytest.mark.row(98)
@given(
    allowed=st.integers(1, 4),
    posts=st.lists(st.tuples(st.sampled_from("ab"), st.floats(0.0, 40.0)), max_size=40),
)
def test_no_minute_has_more_than_allowed_and_what_fits_is_let_through(
    allowed: int, posts: list[tuple[str, float]]
) -> None:
    edges = Edges(Posting(per_minute=allowed))
    now, passed = 0.0, list[tuple[str, float]]()
    for sender, wait in posts:
        now += wait
        recent = Counter(who for who, at in passed if at > now - 60.0)
        try:
            edges.check(sender, "/x", 0, now)
        except PostRateExceeded as error:
            assert recent[sender] == allowed
            oldest = sorted(at for who, at in passed if who == sender)[-allowed]
            assert error.retry_after == oldest + 60.0 - now > 0  # noqa: PT017
        else:
            assert recent[sender] < allowed
            passed.append((sender, now))
