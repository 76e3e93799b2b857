"""`actors post`: a message as JSON is posted, and its reply waited for."""

from __future__ import annotations

import importlib
import json
import math
import os
import sys
from collections.abc import Sequence
from typing import Any, TextIO

import attrs
import trio

from actors.checks import check_count, check_seconds
from actors.cli.misuse import Misused, read_message
from actors.cli.posted.show import failure_of
from actors.cli.posted.speak import INTERRUPTED, run_command, say
from actors.cli.posted.way import Failed, Target, Way, opened
from actors.coding import JsonCoder
from actors.delivery.door import recipient_path
from actors.delivery.service import AwaitTicket, PostJson, TicketFacts
from actors.delivery.ticket import LIVE
from actors.errors import ActorError, one_line
from actors.messages import MESSAGES

__all__ = ["Letter", "post"]

_ASKED_AGAIN = 30.0
_UNKNOWN = (
    "interrupted before its receipt: it may have been posted; with the same --key it can be posted again"
)
_LIVE = frozenset(state.value for state in LIVE)


@attrs.frozen(kw_only=True)
class Letter:
    """What the command line says is to be posted. `wait` is in seconds; None: do not wait."""

    path: str
    text: str
    key: str | None = None
    wait: float | None = None
    timeout: float | None = None
    priority: int = 0
    max_attempts: int = 5
    modules: Sequence[str] = ()

    def request(self) -> PostJson:
        """As a request. Imports the modules; raises `Misused`."""
        try:
            path = recipient_path(self.path)
            if self.timeout is not None:
                check_seconds("--timeout", self.timeout, above=True)
            if self.wait is not None:
                check_seconds("--wait", self.wait)
            check_count("--max-attempts", self.max_attempts)
            if not -(2**31) <= self.priority < 2**31:
                raise ValueError(f"--priority must be between -2**31 and 2**31, not {self.priority}")
            if self.key == "":
                raise ValueError("--key is a text that stands for the message: it is empty")
        except (ActorError, TypeError, ValueError) as error:
            raise Misused(str(error)) from None
        message = _checked(read_message(self.text), self.modules)
        return PostJson(
            path,
            message,
            key=self.key,
            timeout=None if self.timeout is None or math.isinf(self.timeout) else self.timeout,
            priority=self.priority,
            max_attempts=self.max_attempts,
        )


def _checked(coded: dict[str, Any], modules: Sequence[str]) -> str:
    """The message as text; held against its class where modules are named."""
    text = json.dumps(coded, ensure_ascii=False)
    if not modules:
        return text
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    for module in modules:
        try:
            importlib.import_module(module)
        except Exception as error:  # whatever the module does when it is imported
            raise Misused(f"--import {module}: {one_line(error)}") from None
    if MESSAGES.find(coded["$"]) is None:
        raise Misused(
            f"no message class with the tag {coded['$']!r} is in {', '.join(modules)}: correct the tag"
        )
    coder = JsonCoder()
    try:
        return coder.out(coder.back(text))  # as its class writes it, so that a key stands for one text
    except ActorError as error:
        raise Misused(f"the message is no {coded['$']}: {error}") from None


def post(target: Target, letter: Letter, out: TextIO, err: TextIO) -> int:
    """Post it; the exit code. Its id is printed, or the reply where that was waited for."""
    posted: list[str] = []

    async def do() -> None:
        request = letter.request()
        async with opened(target) as way:
            ticket: TicketFacts = await way.ask(request)
            posted.append(ticket.id)
            if letter.wait is None:
                await say(out, f"{ticket.id}\n")
                return
            ticket = await _ended(way, ticket, letter.wait, target)
        failure = failure_of(ticket)
        if failure is not None:
            raise Failed(failure)
        if ticket.answer is None:
            raise Failed(f"the reply to the ticket {ticket.id} is damaged, or no JSON")
        await say(out, f"{ticket.answer}\n")

    code = run_command("post", do, err)
    if code == INTERRUPTED:
        known = f"not waited for any more; the ticket {posted[0]} goes on" if posted else _UNKNOWN
        print(f"actors post: {known}", file=err)
    return code


async def _ended(way: Way, ticket: TicketFacts, wait: float, target: Target) -> TicketFacts:
    """The ticket when it has ended."""
    until = trio.current_time() + wait
    if ticket.state in _LIVE and not way.is_alive:
        raise Failed(
            f"posted as {ticket.id}, and nobody has {target.path} open to answer: start its system, then "
            f"look with `actors tickets {target.path} {ticket.id}`"
        )
    while ticket.state in _LIVE:
        left = until - trio.current_time()
        if left <= 0:
            raise Failed(
                f"{ticket.path} has not answered the ticket {ticket.id} within {wait:g} s; it is "
                f"{ticket.state}, and goes on"
            )
        ticket = await way.ask(AwaitTicket(ticket.id, min(left, _ASKED_AGAIN)))
    return ticket
