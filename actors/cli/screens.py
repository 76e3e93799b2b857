"""Where a run is shown: lines into a pipe, or the live tree on a terminal."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from typing import Any, Self, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from actors.cli.feed import Picture
from actors.cli.lines import Fact, Notice, Output, as_json, as_text
from actors.cli.show import live_tree

__all__ = ["LineScreen", "LiveScreen", "write_all"]


def write_all(stream: TextIO, text: str) -> None:
    """Write and flush, past the buffer of Python: its lock would outlive a thread that stands still here.

    Raises OSError when nobody reads.
    """
    stream.flush()
    data = text.encode(stream.encoding or "utf-8", "backslashreplace")
    while data:
        data = data[os.write(stream.fileno(), data) :]


class LineScreen:
    """One line a fact: text, or JSON."""

    refresh = math.inf

    def __init__(self, stream: TextIO, since: float, *, json: bool) -> None:
        self._stream = stream
        self._since = since
        self._line = as_json if json else as_text

    def compose(self, facts: Sequence[Fact], look: Callable[[], Picture]) -> str:
        """The lines."""
        return "".join(f"{self._line(fact, self._since)}\n" for fact in facts)

    def write(self, composed: str) -> None:
        """Write them."""
        write_all(self._stream, composed)


class LiveScreen:
    """The tree as it is now; `with` shows and ends it.

    Drawn after events, and each second, because not every change of a state is an event:
    an actor that takes a message reports nothing.
    """

    refresh = 1.0

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._passing: Notice | None = None

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._live.stop()

    def compose(self, facts: Sequence[Fact], look: Callable[[], Picture]) -> tuple[Any, RenderableType]:
        """The lines that scroll away above the tree, and the tree with the last notice that is passing."""
        scrolls: list[Text] = []
        for fact in facts:
            if isinstance(fact, Notice):
                self._passing = None if fact.lasting else fact
            if isinstance(fact, Output) or (isinstance(fact, Notice) and fact.lasting):
                scrolls.append(Text(as_text(fact, 0.0)))
        tree = live_tree(look())
        return scrolls, tree if self._passing is None else Group(tree, Text(str(self._passing)))

    def write(self, composed: tuple[list[RenderableType], RenderableType]) -> None:
        """Draw; the lines scroll away above the tree."""
        scrolls, tree = composed
        if scrolls:
            self._live.console.print(Group(*scrolls))
        self._live.update(tree, refresh=True)
