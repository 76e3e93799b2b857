"""The pure files: decisions without trio, clock, randomness or input and output.

The purity test and the coverage gate both read this list. An entry may name a file
that is not there yet; `existing_pure_files` leaves it out.
"""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "actors"

PURE_FILES = frozenset(
    {
        "budgets.py",
        "checks.py",
        "errors.py",
        "events.py",
        "exits.py",
        "histogram.py",
        "limits.py",
        "messages.py",
        "names.py",
        "outcome.py",
        "policy.py",
        "posting.py",
        "core/chunks.py",
        "core/dispatch.py",
        "core/lifecycle.py",
        "core/mailbox.py",
        "delivery/checksum.py",
        "delivery/dispatch.py",
        "delivery/door.py",
        "delivery/edges.py",
        "delivery/endings.py",
        "delivery/errors.py",
        "delivery/operations.py",
        "delivery/redis/lua.py",
        "delivery/redis/scripts.py",
        "delivery/shelf.py",
        "delivery/sqlite/rows.py",
        "delivery/sqlite/texts.py",
        "delivery/ticket.py",
        "jobs/graph.py",
        "jobs/plan.py",
        "monitor/oversight.py",
        "monitor/patterns.py",
        "monitor/stall.py",
        "monitor/tally.py",
        "mcp/lease.py",
        "mcp/reach.py",
        "mcp/told.py",
        "observe/fact.py",
        "observe/ring.py",
        "observe/words.py",
        "observe/why.py",
        "observe/spell.py",
        "observe/tally.py",
        "tree.py",
        "asking.py",
        "people/action.py",
        "people/book.py",
        "people/counts.py",
        "people/errors.py",
        "people/records.py",
        "people/request.py",
        "people/travel.py",
        "people/typed.py",
        "observe/web/frames.py",
        "process/lines/conversation.py",
        "process/lines/values.py",
        "process/lines/words.py",
        "process/output.py",
        "process/ready.py",
        "process/terminal/answer.py",
        "process/terminal/control.py",
        "process/terminal/cooldown.py",
        "process/terminal/errors.py",
        "process/terminal/messages.py",
        "process/terminal/modes.py",
        "process/terminal/prompt.py",
        "process/terminal/text.py",
        "process/terminal/words.py",
        "remote/credit.py",
        "remote/handshake.py",
        "remote/items.py",
        "remote/jsontext.py",
        "remote/link.py",
        "remote/session.py",
        "remote/suspicion.py",
        "spawning/history.py",
        "spawning/limits.py",
        "spawning/readiness.py",
        "spawning/routing.py",
        "spawning/scale.py",
        "spawning/triggers.py",
        "spawning/votes.py",
        "supervision/backoff.py",
        "supervision/breaker.py",
        "supervision/restart.py",
        "supervision/strategy.py",
        "testing/history.py",
        "timeouts/deadline.py",
        "timeouts/history.py",
    }
)

ALLOWED_MODULES = frozenset(
    {
        "__future__",
        "abc",
        "attrs",
        "bisect",
        "codecs",
        "collections",
        "collections.abc",
        "dataclasses",
        "decimal",
        "enum",
        "functools",
        "hashlib",  # a digest depends on its argument alone
        "heapq",
        "inspect",
        "itertools",
        "json",
        "math",
        "operator",
        "re",
        "string",
        "textwrap",
        "types",
        "typing",
        "unicodedata",
        "weakref",
    }
)
"""What a pure file may import besides other pure files."""

EXEMPT_NAMES = {
    "errors.py": frozenset({"trio.TooSlowError"}),
    "people/errors.py": frozenset({"trio.TooSlowError"}),
    "spawning/routing.py": frozenset({"uuid.UUID"}),
}
"""`AskTimeout` must be a `trio.TooSlowError`: code that knows only trio catches it.
A UUID is a plain value, and may be what messages are routed by; none is made there."""


def existing_pure_files() -> list[str]:
    """The pure files that exist, relative to the package, sorted."""
    return sorted(path for path in PURE_FILES if (PACKAGE / path).is_file())
