"""MCP is an extra: nobody pays for it who does not use it. What is used of others' insides is as it was."""

from __future__ import annotations

import inspect
import subprocess
import sys

from mcp.server import MCPServer, Server, runner
from mcp.server.stdio import stdio_server
from mcp.server.streamable_http import StreamableHTTPServerTransport

_ALONE = """
import sys
import actors
import actors.cli.commands
heavy = {"mcp", "mcp_types", "pydantic", "hypercorn", "starlette", "httpx2"} & set(sys.modules)
assert not heavy, heavy
"""
_WITHOUT = """
import importlib.util
found = importlib.util.find_spec
for missing in ("mcp", "hypercorn", "starlette"):
    importlib.util.find_spec = lambda name, *more: None if name == missing else found(name, *more)
    try:
        import actors.mcp
    except ImportError as error:
        print(error)
"""


def run(program: str) -> str:
    """What a process of its own prints."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_actors_and_its_program_load_nothing_of_it() -> None:
    """It takes a second."""
    assert run(_ALONE) == ""


def test_a_missing_extra_says_what_to_install() -> None:
    """Whichever of the three is missing."""
    assert run(_WITHOUT).count("pip install trio-actors[mcp]") == 3


def test_what_is_used_of_the_sdk_is_as_it_was() -> None:
    """Not all of it is public: a version that has changed it is seen here first."""
    assert {"lifespan_state", "session_id"} <= set(inspect.signature(runner.serve_loop).parameters)
    assert [*inspect.signature(stdio_server).parameters] == ["stdin", "stdout"]
    taken = set(inspect.signature(StreamableHTTPServerTransport).parameters)
    assert {"mcp_session_id", "event_store"} <= taken
    assert "self._lowlevel_server = Server(" in inspect.getsource(MCPServer.__init__)
    server = Server("x")
    assert callable(server.lifespan)
    assert callable(server.run)
    from mcp.server._streamable_http_modern import handle_modern_request

    assert [*inspect.signature(handle_modern_request).parameters] == [
        "app",
        "security_settings",
        "json_response",
        "lifespan_state",
        "scope",
        "receive",
        "send",
    ]
