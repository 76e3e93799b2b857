"""Every item with every field spoilt in many ways: refused or answered, and never a mistake of ours."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import trio

from actors.remote.items import FRAMES, ITEMS
from tests.remote.strangers import door, stranger
from tests.remote.test_protocol_page import EXAMPLES

JUNK: list[Any] = [
    None, True, -1, 0, 10**30, 2.5, "", "x", "/", "/a//b", "\x00", "\ud800", "☃" * 300,
    [], {}, [[]], [None], [1, 2, 3, 4], {"$": "shop.Order"}, {"$": 1}, {"$tuple": 7}, {"$set": [[]]},
    {"$ref": []}, {"$ref": ["", "", "", 0]}, {"$dict": [[[], 1]]}, {"$bytes": "☃"}, {"$float": "x"},
    {"path": ""}, {"path": "a", "life": -1}, {"path": "/parrot", "node": ["", ""]},
    {"path": "/", "node": ["beta", "x"]}, {"kind": "NO", "reason": "x"},
    {"kind": "FAILED", "reason": "", "error": {"kind": "circuit", "count": 1e300}},
    ["stranger", "a1", "/x", 1], ["beta", "x", "nowhere", -5], ["gamma", "x", "/x", 1, "delta"],
]  # fmt: skip


def spoilt(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The item, and each of its fields replaced by each piece of junk, and left out."""
    yield item
    for key in item.keys() - {"k"}:
        yield {name: value for name, value in item.items() if name != key}
        for junk in JUNK:
            yield item | {key: junk}


def all_spoilt(kind: str) -> Iterator[dict[str, Any]]:
    """The examples of a kind on the page about the protocol, spoilt."""
    for item in EXAMPLES:
        if item.get("k") == kind:
            yield from spoilt(item)


@pytest.mark.parametrize("kind", sorted(ITEMS))
async def test_no_item_hurts_the_node(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, "actors.remote")
    find = {"k": "call", "id": 10**6, "what": "find", "to": {"path": "/"}}
    waiting = list(all_spoilt(kind))
    assert len(waiting) > len(JUNK)
    async with door() as node:
        for life in itertools.count():
            if not waiting:
                break
            async with stranger(node.url) as caller:
                await caller.join(node=f"s{life}")
                over = False
                while waiting and not over:
                    item = waiting.pop()
                    await caller.put(item, lane="c")
                    await caller.put(find, lane="c")
                    over = await refused_or_answered(caller)
                    assert not caplog.records, item
        await node.serves()
    assert not caplog.records


async def refused_or_answered(caller: Any) -> bool:
    """True when the node has parted with the stranger, False when it goes on."""
    with trio.fail_after(5):
        while True:
            frame = await caller.hear("items", "refused")
            if frame["k"] == "refused":
                return True
            for lane in ("c", "d"):
                for item in frame.get(lane, [0, []])[1]:
                    if item["k"] in ("reply", "fail") and item["id"] == 10**6:
                        return False


@pytest.mark.parametrize("kind", sorted(FRAMES))
async def test_no_frame_hurts_the_node(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, "actors.remote")
    async with door() as node:
        for life, frame in enumerate(all_spoilt(kind)):
            async with stranger(node.url) as caller:
                await caller.join(node=f"s{life}")
                await caller.say(frame)
        await node.serves()
    assert not caplog.records
