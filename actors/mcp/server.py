"""`build_server`: a system as an MCP server, and what stands between a request and the tool that it calls."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ResourceError, ToolError
from mcp.types import CallToolResult, Resource, ResourceTemplate
from mcp.types import Tool as Listed

from actors.core.spending import spend
from actors.errors import ActorError
from actors.mcp.faults import INTERNAL, ToolFault, text_of
from actors.mcp.gate import Gate
from actors.mcp.house import Guests, House, Seat
from actors.mcp.instructions import instructions_of, listed
from actors.mcp.resources import LISTED, TEMPLATES, read
from actors.mcp.tool import Call
from actors.mcp.tools import TOOLS

if TYPE_CHECKING:
    from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
    from pydantic import AnyUrl

    from actors.mcp.tool import Tool
    from actors.system import System

__all__ = ["AgentServer", "build_server"]

_LOG = logging.getLogger("actors.mcp")
_PROMPTLY: Final = frozenset({"notifications/initialized", "server/discover", "tools/list"})
"""With the first of these a client has become an actor, before it calls anything."""


def build_server(system: System, gate: Gate, *, name: str | None = None) -> AgentServer:
    """A server by which agents connect to the system and are actors, within the bounds of the gate.

    It is one for stdio or one HTTP application: `actors.mcp.serve_stdio` and `start_mcp` make their own.
    In a test, `async with mcp.Client(server) as client` connects to it at once; each such client is an
    agent of its own. `name` is what the server calls itself, that of the system by default. From now on the
    system keeps its journal.

    Raises TypeError for what is no `Gate`, ValueError for tags of messages that are not loaded, and
    `SystemClosed`. No checkpoint. Not promised: that what the SDK's `MCPServer` has besides stays as it is.
    """
    if not isinstance(gate, Gate):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"gate must be a Gate, not {gate!r}: write actors.mcp.Gate(...)")
    house = House(system, gate)
    system.journal  # noqa: B018 - from its first look on it keeps what happens
    with _root_logger_as_it_is():
        return AgentServer(house, name or system.name)


@contextmanager
def _root_logger_as_it_is() -> Generator[None]:
    """The SDK gives the root logger a handler: whoever has a server in their program does not want that."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        yield
    finally:
        for handler in tuple(root.handlers):
            if handler not in handlers:
                root.removeHandler(handler)
        root.setLevel(level)


class AgentServer(MCPServer[Guests]):
    """An `mcp.server.MCPServer` whose tools are this framework's. Made by `build_server`."""

    def __init__(self, house: House, name: str) -> None:
        super().__init__(
            name,
            instructions=instructions_of(house.gate),
            version=version("trio-actors"),
            log_level="ERROR",
            lifespan=house.connected,
            subscriptions=house.changes,
        )
        self.house = house
        self.middleware.append(self._seat_first)
        self._tools: dict[str, Tool] = {tool.name: tool for tool in TOOLS if tool.name in house.gate.allowed}

    async def list_tools(self) -> list[Listed]:
        """Those that the gate has, by name."""
        return [listed(tool, self.house.gate) for _, tool in sorted(self._tools.items())]

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[Guests, Any] | None = None
    ) -> CallToolResult:
        """Carry a call out in the name of the agent that makes it. Raises `ToolError` alone."""
        try:
            tool = self._tools.get(name)
            if tool is None:
                raise ToolFault(
                    f"no tool is called {name!r:.100}: the tools are {', '.join(sorted(self._tools))}"
                )
            if context is None:
                raise ToolFault("tools are called over a connection: only an agent has a parent")
            return await self._called(tool, arguments, context)
        except Exception as error:
            said = text_of(error)
            if said is None:
                _LOG.exception("the tool %r has failed", name)
            raise ToolError(said or INTERNAL) from None

    async def list_resources(self) -> list[Resource]:
        """The tree, and what has happened."""
        return list(LISTED)

    async def list_resource_templates(self) -> list[ResourceTemplate]:
        """What has happened after a number, and single actors."""
        return list(TEMPLATES)

    async def read_resource(
        self, uri: AnyUrl | str, context: Context[Guests, Any] | None = None
    ) -> list[ReadResourceContents]:
        """Read one as the agent sees it. Raises `ResourceError` alone."""
        try:
            if context is None:
                raise ToolFault("resources are read over a connection: only an agent sees anything")
            async with _speaking(context.request_context) as seat:
                with seat.agent.at_work():
                    text, kind = read(self._call(seat, context), str(uri))
            return [ReadResourceContents(content=text, mime_type=kind)]
        except ResourceError:
            raise
        except Exception as error:
            said = text_of(error)
            if said is None:
                _LOG.exception("the resource %r cannot be read", str(uri))
            raise ResourceError(said or INTERNAL) from None

    def _call(self, seat: Seat, context: Context[Guests, Any]) -> Call:
        request = context.request_context
        return Call(
            self.house,
            request.lifespan_context,
            seat.agent,
            context.report_progress,
            _may_hear(request),
        )

    async def _called(
        self, tool: Tool, arguments: Mapping[str, Any], context: Context[Guests, Any]
    ) -> CallToolResult:
        async with _speaking(context.request_context) as seat:
            with seat.agent.at_work():
                if not tool.reads:
                    spend(tool_calls=1)
                return await tool.call(self._call(seat, context), arguments)

    async def _seat_first(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """A client is an actor from its first word on; what goes wrong there is said at its first call."""
        done = await call_next(ctx)
        if ctx.method in _PROMPTLY:
            try:
                async with _speaking(ctx):
                    pass
            except (ToolFault, ActorError):
                pass
        return done


def _may_hear(request: ServerRequestContext[Any, Any]) -> bool:
    """Whether the client wants to hear of progress: it has sent a token, or in memory a function."""
    if "progress_token" in (request.meta or {}):
        return True
    outbound: Any = request.session._request_outbound  # pyright: ignore[reportPrivateUsage]
    return getattr(getattr(outbound, "_inner", outbound), "_on_progress", None) is not None


@asynccontextmanager
async def _speaking(request: ServerRequestContext[Any, Any]) -> AsyncGenerator[Seat]:
    """A block in which the agent whose request this is speaks."""
    guests: Guests = request.lifespan_context
    info = request.session.client_params
    said = None if info is None else info.client_info.name
    connection: Any = request.session._connection  # pyright: ignore[reportPrivateUsage] - its end is nowhere else
    session: str | None = connection.session_id
    if request.request is None:  # stdio, in memory: the transport is the connection
        key, lasting = None, True
    elif session is not None:
        key, lasting = session, True
        if _NOTED not in connection.state:
            connection.state[_NOTED] = True
            connection.exit_stack.callback(guests.gone, key)
    else:
        key, lasting = ("a client", said), False
    async with guests.speaking(key, said, lasting=lasting) as seat:
        yield seat


_NOTED: Final = "actors.noted"
