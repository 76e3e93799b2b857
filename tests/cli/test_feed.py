"""The way of facts to a screen."""

from __future__ import annotations

import trio
from trio.testing import MockClock

from actors.cli.feed import Feed, Picture
from actors.events import Event
from actors.tree import TreeNode
from tests.cli.cast import Notes


class Clocked(Notes):
    """A screen that is also drawn by the clock, and ends its feed with the third drawing."""

    refresh = 1.0

    def __init__(self, feed: Feed) -> None:
        super().__init__()
        self.feed = feed
        self.drawn: list[tuple[float, int]] = []

    def compose(self, facts: object, look: object) -> object:  # type: ignore[override]
        self.drawn.append((trio.current_time(), len(facts)))  # type: ignore[arg-type]
        if len(self.drawn) == 3:
            self.feed.close()
        return facts


async def test_a_screen_is_drawn_after_its_refresh_time_although_nothing_was_reported(
    autojump_clock: MockClock,
) -> None:
    """States change without events; what is shown must not grow old."""
    feed = Feed(trio.current_time)
    feed.put(Event(0.0))
    screen = Clocked(feed)
    picture = Picture(TreeNode(name="s", path="/", kind="system", state="IDLE"), ())
    assert await feed.show(screen, lambda: picture)
    assert screen.drawn == [(0.0, 1), (1.0, 0), (2.0, 0)]
