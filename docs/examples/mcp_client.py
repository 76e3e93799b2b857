"""An agent, in a program of its own: it starts `actors mcp mcp.toml`, and has two helpers count words.

python docs/examples/mcp_client.py
"""

import sys
from pathlib import Path

import trio
from mcp import Client, StdioServerParameters, stdio_client

FILE = Path(__file__).with_name("mcp.toml")


async def main() -> None:
    program = StdioServerParameters(command=sys.executable, args=["-m", "actors", "mcp", str(FILE)])
    async with Client(stdio_client(program)) as client:

        async def use(tool: str, **arguments: object) -> dict[str, object]:
            result = await client.call_tool(tool, arguments)
            assert not result.is_error, result.content
            return result.structured_content or {}

        async def hear(step: float, total: float | None, text: str | None) -> None:
            print("  at work:", text)

        await use("spawn", template="clerk", name="first")
        await use("spawn", template="shouter", name="loud")
        counted = await client.call_tool(
            "ask", {"path": "first", "message": "one two three"}, progress_callback=hear
        )
        print(counted.structured_content)
        print(await use("ask", path="loud", message="all is well"))
        print(await use("children"))
    # with the connection the helpers have ended, and the program that served it


if __name__ == "__main__":
    trio.run(main)
