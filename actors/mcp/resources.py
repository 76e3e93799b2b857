"""Resources: the tree, actors and what has happened, as far as the agent reaches."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from mcp.server.mcpserver.exceptions import ResourceNotFoundError
from mcp.types import Resource, ResourceTemplate

from actors.mcp.changes import EVENTS, TREE, TREE_JSON
from actors.mcp.tools.looking import seen, tree_for
from actors.names import canonical

if TYPE_CHECKING:
    from actors.mcp.tool import Call

__all__ = ["LISTED", "TEMPLATES", "read"]

_ACTOR: Final = "actors://actor"
_PAGE: Final = 500
_JSON: Final = "application/json"

LISTED: Final = (
    Resource(
        uri=TREE,
        name="tree",
        description="The living actors that you reach, one line each: name [state] (kind).",
        mime_type="text/plain",
    ),
    Resource(uri=TREE_JSON, name="tree.json", description="The same tree as objects.", mime_type=_JSON),
    Resource(
        uri=EVENTS,
        name="events",
        description=f"The last facts about actors that you reach, {_PAGE} at most; `after` goes on.",
        mime_type=_JSON,
    ),
)
TEMPLATES: Final = (
    ResourceTemplate(
        uri_template=f"{EVENTS}/{{after}}",
        name="events after",
        description=f"The facts after a number, the oldest first, {_PAGE} at most; `after` goes on.",
        mime_type=_JSON,
    ),
    ResourceTemplate(
        uri_template=f"{_ACTOR}/{{+path}}",
        name="actor",
        description="One actor as it is now, with its last facts: its path without the first slash.",
        mime_type=_JSON,
    ),
)


def read(call: Call, uri: str) -> tuple[str, str]:
    """A resource as text, with its type. Raises `ToolFault`, and `ResourceNotFoundError` for no such one."""
    if uri == TREE:
        return str(tree_for(call, None)), "text/plain"
    if uri == TREE_JSON:
        return json.dumps(tree_for(call, None).as_dict()), _JSON
    if uri == EVENTS:
        return json.dumps(_events(call, max(0, call.house.system.journal.last - _PAGE))), _JSON
    kind, _, rest = uri.removeprefix("actors://").partition("/")
    if uri.startswith(f"{EVENTS}/") and rest.isascii() and rest.isdigit() and len(rest) < 19:
        return json.dumps(_events(call, int(rest))), _JSON
    if kind == "actor" and rest:
        return json.dumps(_actor(call, canonical(f"/{rest}"))), _JSON
    known = [*(str(one.uri) for one in LISTED), *(one.uri_template for one in TEMPLATES)]
    raise ResourceNotFoundError(f"no resource {uri!r:.200}: there are {', '.join(known)}")


def _events(call: Call, after: int) -> dict[str, Any]:
    page = call.house.system.journal.after(after, limit=_PAGE)
    facts = [one.as_dict() for one in call.house.teller.told(page.facts)]
    return {
        "facts": facts,
        "after": page.after,
        "missed": page.missed,
        "last": call.house.system.journal.last,
    }


def _actor(call: Call, path: str) -> dict[str, Any]:
    path = call.house.path(path)
    ref = call.house.system.find(path)
    facts = [one.as_dict() for one in call.house.teller.told(call.house.system.journal.history(path))]
    if ref is None and not facts:
        call.house.find(path)  # raises
    return {"path": path, "actor": None if ref is None else seen(ref), "facts": facts}
