"""`actors mcp`: clients of the Model Context Protocol at a file's system."""

__all__: list[str] = []
