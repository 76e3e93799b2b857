"""Store and forward: a posted message is safe before its receiver exists."""

from actors.delivery.memory import MemoryStore

__all__ = ["MemoryStore"]
