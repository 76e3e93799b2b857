"""The engine on a server: Redis or Valkey, for many hosts."""

from actors.delivery.redis.store import RedisStore

__all__ = ["RedisStore"]
