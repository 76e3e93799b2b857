"""The tree of a system as frozen data, and how it is drawn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

__all__ = ["TreeNode"]


_PLAIN = ("name", "path", "kind", "state", "depth", "restarts")


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
    parked: str | None = None
    """Why it does nothing until it is resumed: what of its budget is spent; None while it is not parked."""
    children: tuple[TreeNode, ...] = ()

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield self.line
        waiting = _branches(self, "")  # no recursion: a tree may be deeper than Python's stack
        while waiting:
            node, indent, last = waiting.pop()
            yield indent + ("└── " if last else "├── ") + node.line
            waiting.extend(_branches(node, indent + ("    " if last else "│   ")))

    @property
    def line(self) -> str:
        """Its own line: name, [state], (kind), and what is worth knowing."""
        said = [self.name or self.path.rpartition("/")[2], f"[{self.state.lower()}]", f"({self.kind})"]
        if self.depth:
            said.append(f"{self.depth} waiting")
        if self.restarts:
            said.append(f"{self.restarts} restart{'s' if self.restarts > 1 else ''}")
        if self.parked:
            said.append(f"parked: {self.parked}")
        return " ".join(said)

    def walk(self) -> Iterator[TreeNode]:
        """This node and all below it, parents first."""
        waiting: list[TreeNode] = [self]
        while waiting:
            node = waiting.pop()
            yield node
            waiting.extend(reversed(node.children))

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> TreeNode:
        """The tree that `as_dict` has made plain, also on another node."""
        made: dict[int, TreeNode] = {}
        waiting: list[Mapping[str, Any]] = [plain]
        order: list[Mapping[str, Any]] = []
        while waiting:
            node = waiting.pop()
            order.append(node)
            waiting.extend(node["children"])
        for node in reversed(order):  # from the leaves up: a tree may be deeper than Python's stack
            children = tuple(made.pop(id(child)) for child in node["children"])
            fields = {name: node[name] for name in _PLAIN}
            made[id(node)] = cls(**fields, parked=node.get("parked"), children=children)
        return made[id(plain)]

    def as_dict(self) -> dict[str, Any]:
        """Plain dictionaries and lists, ready for JSON."""
        made: dict[int, dict[str, Any]] = {}
        for node in reversed(list(self.walk())):  # from the leaves up: no recursion here either
            plain = made[id(node)] = attrs.asdict(node, recurse=False)
            plain["state"] = str(node.state)
            plain["children"] = [made[id(child)] for child in node.children]
        return made[id(self)]


def _branches(node: TreeNode, indent: str) -> list[tuple[TreeNode, str, bool]]:
    """The children of a node with their indent, the first one last; True for the last of them."""
    last = len(node.children) - 1
    return [(child, indent, index == last) for index, child in enumerate(node.children)][::-1]
