"""What is said to a client when something cannot be done: one line, with the cure, and nothing of ours."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from actors.errors import ActorError, flatten
from actors.observe.brief import clean

__all__ = ["INTERNAL", "ToolFault", "no_such_actor", "refusing", "text_of"]

_LONGEST: Final = 2000
INTERNAL: Final = "an internal fault: it is in the log of the system, and nothing else has changed; try again"


class ToolFault(Exception):
    """A call that cannot be carried out; the text says why, and what to do."""


def no_such_actor(path: str) -> ToolFault:
    """The same for what is not there, and for what is not this agent's to see."""
    return ToolFault(f"no such actor: {path!r:.200}. `tree` shows all that you reach")


def text_of(error: BaseException) -> str | None:
    """The line for the client; None for what is a fault of ours, which it must not see."""
    leaves = list(flatten(error))
    known = [one for one in leaves if isinstance(one, ToolFault | ActorError)]
    if not known or len(known) < len(leaves):
        return None
    first = known[0]
    said = clean(str(first), _LONGEST)
    wait = getattr(first, "retry_after", None)
    after = f" (retry_after: {wait:.3g} s)" if isinstance(wait, int | float) else ""
    kind = "" if isinstance(first, ToolFault) else f"{type(first).__name__}: "
    return f"{kind}{said}{after}"


@contextmanager
def refusing(*kinds: type[Exception]) -> Generator[None]:
    """A block in which errors of these kinds are what the client has said wrong."""
    try:
        yield
    except kinds as error:
        raise ToolFault(clean(str(error), _LONGEST)) from error
