"""For who tests with actors: what holds a store to the promises of its port."""

from actors.testing.bench import ConformanceError
from actors.testing.stores import STORE_CHECKS, check_store

__all__ = ["STORE_CHECKS", "ConformanceError", "check_store"]
