"""Programs that are spoken to: in lines, in terminals, and by MCP."""
