"""`actors answer`: a person decides a request."""

from __future__ import annotations

from typing import TextIO

from actors.cli.posted.speak import run_command, say
from actors.cli.posted.way import Target, running
from actors.people.service import DESK_PATH, GiveAnswer

__all__ = ["give"]


def give(
    target: Target, request_id: str, value: str, by: str | None, is_json: bool, out: TextIO, err: TextIO
) -> int:
    """Give it, and print what was taken; the exit code."""

    async def do() -> None:
        async with running(target, path=DESK_PATH) as way:
            taken: str = await way.ask(GiveAnswer(request_id, value, by, typed=not is_json))
        await say(out, f"{request_id} is answered: {taken}\n")

    return run_command("answer", do, err)
