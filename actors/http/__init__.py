"""HTTP on hypercorn, for whatever the framework serves: connections that can be cut, who may come in, faults.

Its files need the extra `web` or `mcp`.
"""

__all__: list[str] = []
