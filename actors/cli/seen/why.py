"""`actors why`: the causes of what became of one actor, in lines."""

from __future__ import annotations

import json
from typing import TextIO

from actors.cli.misuse import Misused
from actors.cli.posted.speak import run_command, say
from actors.cli.posted.way import Target
from actors.cli.seen.way import observer_of
from actors.names import canonical
from actors.observe.service import TellWhy
from actors.observe.why import Why

__all__ = ["tell_why"]


def tell_why(target: Target, path: str, as_json: bool, out: TextIO, err: TextIO) -> int:
    """Print why the actor at a path ended, or is there; the exit code."""

    async def do() -> None:
        try:
            wanted = canonical(path)
        except ValueError as error:
            raise Misused(str(error)) from None
        async with observer_of(target) as way:
            why: Why = await way.ask(TellWhy(wanted))
        await say(out, f"{json.dumps(why.as_dict()) if as_json else why}\n")

    return run_command("why", do, err)
