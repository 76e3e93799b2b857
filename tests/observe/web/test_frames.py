"""Frames: short enough each, whole together."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from actors.observe.web.frames import (
    LONGEST,
    dumps,
    events_frames,
    frame,
    patch_frame,
    queue_frames,
    request_frames,
    tree_frames,
)

SIZES = st.lists(st.integers(0, LONGEST * 2), max_size=12)
PEOPLE = st.sampled_from([None, "ada", "bob"])
HELD = st.dictionaries(st.sampled_from("abcdef"), st.tuples(st.sampled_from(['{"n":1}', '{"n":2}']), PEOPLE))


def read(frames: list[str]) -> list[dict[str, Any]]:
    """What a client reads."""
    return [json.loads(one) for one in frames]


def test_a_frame_is_an_object_with_a_type() -> None:
    """In as few characters as can be."""
    assert frame("nodes", nodes=[]) == '{"type":"nodes","nodes":[]}'


@given(count=st.integers(0, 350))
def test_a_tree_comes_whole_in_parts(count: int) -> None:
    """The first part voids what was known, the last one ends it, and each actor is there once."""
    parts = read(tree_frames([dumps({"path": f"/{number}"}) for number in range(count)]))
    assert [part["full"] for part in parts] == [True] + [False] * (len(parts) - 1)
    assert [part["more"] for part in parts] == [True] * (len(parts) - 1) + [False]
    assert [row["path"] for part in parts for row in part["nodes"]] == [
        f"/{number}" for number in range(count)
    ]


def test_a_patch_says_what_has_changed_and_what_is_gone() -> None:
    """And nothing else."""
    [said] = read([patch_frame(['{"path":"/a"}'], ["/b"])])
    assert (said["nodes"], said["gone"], said["full"], said["more"]) == (
        [{"path": "/a"}],
        ["/b"],
        False,
        False,
    )


@given(sizes=SIZES, missed=st.integers(0, 5))
def test_facts_come_in_order_in_frames_that_are_short(sizes: list[int], missed: int) -> None:
    """`after` leads from frame to frame; what was missed is said once."""
    lines = [(number, dumps({"number": number, "text": "x" * size})) for number, size in enumerate(sizes, 1)]
    frames = events_frames(lines, len(sizes) + 3, missed)
    said = read(frames)
    assert [fact["number"] for one in said for fact in one["facts"]] == list(range(1, len(sizes) + 1))
    assert sum(one["missed"] for one in said) == missed
    assert said[-1]["after"] == len(sizes) + 3
    assert [one["after"] for one in said[:-1]] == [one["facts"][-1]["number"] for one in said[:-1]]
    assert all(
        len(text) < LONGEST + 200 or len(one["facts"]) == 1 for text, one in zip(frames, said, strict=True)
    )


@given(before=HELD, now=HELD, who=PEOPLE)
def test_a_queue_and_its_changes_lead_to_the_same(
    before: dict[str, tuple[str, str | None]], now: dict[str, tuple[str, str | None]], who: str | None
) -> None:
    """Whoever has the queue before and hears the changes has the queue now: what they may see of it."""

    def may_see(to: str | None) -> bool:
        return who is None or to is None or to == who

    named = [
        {key: (dumps({"id": key, **json.loads(line)}), to) for key, (line, to) in held.items()}
        for held in (before, now)
    ]
    known: dict[str, Any] = {}
    for one in read(queue_frames(named[0], may_see)) + read(request_frames(*named, may_see)):
        if one["full"]:
            known.clear()
        for key in one["gone"]:
            del known[key]
        known |= {request["id"]: request for request in one["requests"]}
    assert known == {key: json.loads(line) for key, (line, to) in named[1].items() if may_see(to)}


def test_a_long_queue_comes_in_parts() -> None:
    """Only the first one voids what was known."""
    held = {str(number): (dumps({"id": number, "text": "x" * 9000}), None) for number in range(9)}
    said = read(queue_frames(held, lambda _: True))
    assert len(said) == 3
    assert [one["full"] for one in said] == [True, False, False]
    assert request_frames(held, held, lambda _: True) == []
