"""What is checked before anything is stored: paths, options, ids. Pure."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from actors.checks import check_count, check_seconds
from actors.delivery.errors import UnknownTicket
from actors.errors import NameReserved
from actors.names import RESERVED, check_name, join, split

__all__ = ["check_options", "checked_id", "recipient_path"]

_LONGEST_KEY: Final = 1024
_LONGEST_ID: Final = 128


def recipient_path(path: object) -> str:
    """The path of a recipient in its one form; raises TypeError or ValueError with the cure."""
    if not isinstance(path, str):
        raise TypeError(f"post to a path, as in '/planner', not to {path!r}: an actor's is ref.path")
    return _in_its_one_form(path)


@lru_cache(maxsize=4096)
def _in_its_one_form(path: str) -> str:
    parts = split(path)
    if not parts:
        raise ValueError("post to an actor below the root, as in '/planner'")
    if any(part.startswith("~") for part in parts):
        raise ValueError(f"{path!r} has a part without a name: no later actor is known to be the same")
    if parts[0] in RESERVED:
        raise NameReserved(parts[0])
    found = "/"
    for part in parts:
        found = join(found, check_name(part))
    return found


def check_options(
    key: object, reply: object, timeout: object, priority: object, max_attempts: object
) -> None:
    """The options of a post, whatever they are; raises ValueError with the name of the wrong one."""
    _check_key(key)
    if not isinstance(reply, bool):
        raise ValueError(f"reply is True or False, not {reply!r}")
    if timeout is not None:
        check_seconds("timeout", timeout, above=True)
    if isinstance(priority, bool) or not isinstance(priority, int):
        raise ValueError(f"priority is a whole number, the higher the sooner, not {priority!r}")
    if not -(2**31) <= priority < 2**31:
        raise ValueError(f"priority must be between -2**31 and 2**31, not {priority!r}")
    if check_count("max_attempts", max_attempts) >= 2**31:
        raise ValueError(f"max_attempts must be less than 2**31, not {max_attempts!r}")


def _check_key(key: object) -> None:
    """Raises ValueError for what no engine could keep, or find again."""
    if key is None:
        return
    if not isinstance(key, str) or not key:
        raise ValueError(f"a key is a text that stands for the message, not {key!r}")
    if len(key) > _LONGEST_KEY:
        raise ValueError(f"a key has {_LONGEST_KEY} characters at most, not {len(key)}: take a hash of it")
    try:
        key.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"a key is a text that can be written as UTF-8, not {key!r}: {error.reason}"
        ) from None


def checked_id(ticket_id: object) -> str:
    """The id of a ticket. Raises TypeError for what is no text, `UnknownTicket` for what no ticket has."""
    if not isinstance(ticket_id, str):
        raise TypeError(f"a ticket is found by its id, a text, not by {ticket_id!r}: it is ticket.id")
    if not ticket_id.isascii() or len(ticket_id) > _LONGEST_ID:
        raise UnknownTicket(ticket_id[:_LONGEST_ID])
    return ticket_id
