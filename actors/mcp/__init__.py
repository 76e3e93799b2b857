"""A system as a server of the Model Context Protocol: agents connect, and are actors. Needs the extra `mcp`.

from actors.mcp import Gate, build_server

server = build_server(system, Gate(templates={"worker": Worker}))
"""

from importlib.util import find_spec

if any(find_spec(name) is None for name in ("hypercorn", "mcp", "starlette")):
    raise ImportError("agents connect by MCP with an extra: pip install trio-actors[mcp]")

from actors.mcp.gate import Gate, Offer
from actors.mcp.serve import McpServer, start_mcp
from actors.mcp.server import build_server
from actors.mcp.stdio import serve_stdio

__all__ = ["Gate", "McpServer", "Offer", "build_server", "serve_stdio", "start_mcp"]
