"""For who tests with actors: what holds a store to the promises of its port, and judges what happened."""

from actors.testing.bench import ConformanceError
from actors.testing.history import History, Noted, Record, Verdict, check_history
from actors.testing.journal import Journal
from actors.testing.stores import STORE_CHECKS, check_store

__all__ = [
    "STORE_CHECKS",
    "ConformanceError",
    "History",
    "Journal",
    "Noted",
    "Record",
    "Verdict",
    "check_history",
    "check_store",
]
