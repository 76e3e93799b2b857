"""`actors pending`: what waits for people, and what becomes of it."""

from __future__ import annotations

import time
from typing import TextIO

from actors.cli.people.show import Asked, change_json, change_line, request_json, request_table
from actors.cli.posted.speak import complain, run_command, say
from actors.cli.posted.way import Target, Way, running
from actors.cli.report import print_console
from actors.people.service import DESK_PATH, ChangePage, NextRequests, PendingPage, TellPending

__all__ = ["follow", "show"]


def show(target: Target, to: str | None, as_json: bool, out: TextIO, err: TextIO) -> int:
    """Print what waits; the exit code."""

    async def do() -> None:
        async with running(target, path=DESK_PATH) as way:
            waiting = await _waiting(way, to)
        await _print(waiting, as_json, out)
        if not waiting and not as_json:
            await say(out, "nobody is asked anything\n")

    return run_command("pending", do, err)


async def _waiting(way: Way, to: str | None) -> list[Asked]:
    """Page by page; what moves up meanwhile is not there twice."""
    found: dict[str, Asked] = {}
    skip, more = 0, 1
    while more:
        page: PendingPage = await way.ask(TellPending(to, skip))
        now = time.time()
        found |= {one.id: one for one in (Asked.of(record, now) for record in page.records)}
        skip, more = skip + len(page.records), page.more
    return list(found.values())


async def _print(waiting: list[Asked], as_json: bool, out: TextIO) -> None:
    if as_json:
        await say(out, "".join(f"{request_json(one)}\n" for one in waiting))
    elif waiting:
        print_console(out).print(request_table(waiting, time.time()))


def follow(target: Target, to: str | None, as_json: bool, out: TextIO, err: TextIO) -> int:
    """Print what waits, then every change as it happens, until Ctrl-C; the exit code."""

    async def do() -> None:
        async with running(target, path=DESK_PATH) as way:
            page: ChangePage = await way.ask(NextRequests(None, to, 0.0))
            known: set[str] = set()
            is_missing = True
            while True:
                if is_missing:
                    waiting = await _waiting(way, to)
                    await _print([one for one in waiting if one.id not in known], as_json, out)
                    known = {one.id for one in waiting}
                page = await way.ask(NextRequests(page.after, to))
                is_missing = page.is_missing
                if is_missing:
                    complain("pending", "some changes are kept no more: this is what waits now", err)
                now = time.time()
                line = change_json if as_json else change_line
                fresh = [one for one in page.changes if not _is_known(one.event, one.record, known)]
                await say(out, "".join(f"{line(one, now)}\n" for one in fresh))

    return run_command("pending", do, err)


def _is_known(event: str, record: str, known: set[str]) -> bool:
    """Whether it was printed among those that waited at the beginning."""
    request_id = Asked.of(record, 0.0).id
    if event == "asked" and request_id in known:
        return True
    (known.discard if event in ("answered", "expired", "withdrawn") else known.add)(request_id)
    return False
