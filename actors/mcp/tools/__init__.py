"""The tools, by what they are about."""

from actors.mcp.tools.growth import GROWTH
from actors.mcp.tools.looking import LOOKING
from actors.mcp.tools.orders import ORDERS
from actors.mcp.tools.people import PEOPLE
from actors.mcp.tools.posts import POSTS
from actors.mcp.tools.talking import TALKING

__all__ = ["TOOLS"]

TOOLS = (*TALKING, *GROWTH, *LOOKING, *ORDERS, *POSTS, *PEOPLE)
"""All of them."""
