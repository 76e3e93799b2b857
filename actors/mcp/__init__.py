"""A system as a server of the Model Context Protocol: agents connect, and are actors. Needs the extra `mcp`.

from actors.mcp import Gate, build_server

server = build_server(system, Gate(templates={"worker": Worker}))
"""

from importlib.util import find_spec

if find_spec("mcp") is None:
    raise ImportError("agents connect by MCP with an extra: pip install trio-actors[mcp]")

from actors.mcp.gate import Gate, Offer
from actors.mcp.server import build_server

__all__ = ["Gate", "Offer", "build_server"]
