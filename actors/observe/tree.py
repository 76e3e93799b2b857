"""The tree of a system as frozen data, and how it is drawn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs

__all__ = ["TreeNode"]


@attrs.frozen(kw_only=True)
class TreeNode:
    """One living actor: `depth` is how many items wait for it; `children` are in start order.

    `kind` is one of system, supervisor, actor, function, process, remote.
    """

    name: str | None
    path: str
    kind: str
    state: str
    depth: int = 0
    restarts: int = 0
    children: tuple[TreeNode, ...] = ()

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield self.line
        for index, child in enumerate(self.children):
            last = index == len(self.children) - 1
            first, rest = ("└── ", "    ") if last else ("├── ", "│   ")
            for number, line in enumerate(child._lines()):
                yield (rest if number else first) + line

    @property
    def line(self) -> str:
        """Its own line: name, [state], (kind), and what is worth knowing."""
        said = [self.name or self.path.rpartition("/")[2], f"[{self.state.lower()}]", f"({self.kind})"]
        if self.depth:
            said.append(f"{self.depth} waiting")
        if self.restarts:
            said.append(f"{self.restarts} restart{'s' if self.restarts > 1 else ''}")
        return " ".join(said)

    def walk(self) -> Iterator[TreeNode]:
        """This node and all below it, parents first."""
        yield self
        for child in self.children:
            yield from child.walk()

    def as_dict(self) -> dict[str, Any]:
        """Plain dictionaries and lists, ready for JSON."""
        plain = attrs.asdict(self, recurse=False)
        plain["state"] = str(self.state)
        plain["children"] = [child.as_dict() for child in self.children]
        return plain
