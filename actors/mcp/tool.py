"""`Tool`: a function as MCP sees it: its arguments checked strictly, its result as JSON with a schema.

The SDK's own way converts texts that look like JSON, ignores arguments that it does not know, and
answers mistakes with a page of text. Here a text stays a text, and a mistake is one line.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, cast, get_type_hints

import attrs
from mcp.types import CallToolResult, TextContent, ToolAnnotations
from mcp.types import Tool as Listed
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, create_model

from actors.mcp.faults import ToolFault
from actors.observe.brief import clean

if TYPE_CHECKING:
    from actors.mcp.agent import Agent
    from actors.mcp.house import Guests, House

__all__ = ["Call", "Tool", "sound"]

_STRICT = ConfigDict(extra="forbid", strict=True)


@attrs.frozen(eq=False)
class Call:
    """One call of a tool: who calls, and how to tell it how things go."""

    house: House
    guests: Guests
    agent: Agent
    report: Callable[[float, float | None, str | None], Awaitable[None]]
    """Tell the client of progress, if it wants to hear: how far, of how much, in which words."""
    wants_progress: bool


class Tool:
    """A function that takes a `Call` and arguments by name. Its docstring is what the client reads."""

    def __init__(
        self,
        run: Callable[..., Awaitable[Any]],
        *,
        title: str,
        reads: bool = False,
        destroys: bool = False,
        repeats: bool = False,
    ) -> None:
        self.name = run.__name__
        self.reads = reads
        self._run = run
        hints = get_type_hints(run, include_extras=True)
        given = [one for one in inspect.signature(run).parameters.values() if one.name != "call"]
        fields: dict[str, Any] = {
            one.name: (hints[one.name], ... if one.default is one.empty else one.default) for one in given
        }
        self._model: type[BaseModel] = create_model(self.name, __config__=_STRICT, **fields)
        output = _plain(TypeAdapter(hints["return"]).json_schema())
        about = inspect.cleandoc(run.__doc__ or "")
        note = ToolAnnotations(
            title=title,
            read_only_hint=reads,
            destructive_hint=destroys,
            idempotent_hint=reads or repeats,
            open_world_hint=False,
        )
        self.listed = Listed(
            name=self.name,
            title=title,
            description=about,
            input_schema=_described(_plain(self._model.model_json_schema())),
            output_schema=output,
            annotations=note,
        )

    def __repr__(self) -> str:
        return f"<Tool {self.name}>"

    def read(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments by name; raises `ToolFault` that names each mistake."""
        try:
            made = self._model.model_validate(dict(arguments))
        except ValidationError as error:
            said = "; ".join(_mistake(one) for one in error.errors(include_url=False, include_input=False))
            takes = ", ".join(self._model.model_fields) or "none"
            raise ToolFault(clean(f"wrong arguments: {said}. {self.name} takes: {takes}", 2000)) from None
        return {name: getattr(made, name) for name in self._model.model_fields}

    async def call(self, call: Call, arguments: Mapping[str, Any]) -> CallToolResult:
        """Run it. Raises `ToolFault`, and what its function raises."""
        said: dict[str, Any] = await self._run(call, **self.read(arguments))
        text = json.dumps(said, ensure_ascii=False)
        whole = sound(text)
        if whole is not text:
            said = json.loads(whole)
        drawn = said.get("text")
        shown = drawn if isinstance(drawn, str) else whole
        return CallToolResult(content=[TextContent(type="text", text=shown)], structured_content=said)


def sound(text: str) -> str:
    """The text itself, if it can be sent; else with a mark for each half of a character that is alone."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _mistake(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"])
    return f"{where}: {'there is no such argument' if error['type'] == 'extra_forbidden' else error['msg']}"


def _described(schema: dict[str, Any]) -> dict[str, Any]:
    """With the words of an argument where clients look for them, also of one that may be left out."""
    for one in schema.get("properties", {}).values():
        words = [kind["description"] for kind in one.get("anyOf", ()) if "description" in kind]
        if "description" not in one and words:
            one["description"] = words[0]
    return schema


def _plain(schema: Any) -> Any:
    """Without the titles that pydantic makes of names."""
    if isinstance(schema, list):
        return [_plain(one) for one in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    given = cast("dict[str, Any]", schema)
    return {
        key: {name: _plain(kind) for name, kind in one.items()} if key == "properties" else _plain(one)
        for key, one in given.items()
        if key != "title" or not isinstance(one, str)
    }
