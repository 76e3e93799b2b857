"""Posts in groups, and writes each receipt to stdout when it has it; run as a program, under strace.

    python -m tests.delivery.receipts FILE [PRAGMA]

PRAGMA is given to the connection that writes, to see that what it breaks is found.
"""

from __future__ import annotations

import os
import sqlite3
import sys

import trio

import actors
from actors.delivery import SQLiteStore
from actors.delivery.sqlite import store as sqlite_store

GROUPS = 12
AT_ONCE = 8


@actors.message(tag="receipts.Note")
class Note:
    text: str


async def post(system: actors.System, token: str) -> None:
    await system.post(f"/nobody{token[-1]}", Note(token), reply=False)
    os.write(1, f"receipt {token}\n".encode())


async def main(path: str, pragma: str | None) -> None:
    if pragma is not None:
        prepare = sqlite_store.prepare

        def prepared(connection: sqlite3.Connection, where: str) -> None:
            prepare(connection, where)
            connection.execute(f"PRAGMA {pragma}")

        sqlite_store.prepare = prepared
    async with actors.open_system("alpha", store=SQLiteStore(path), watchdog=None) as system:
        for group in range(GROUPS):
            async with trio.open_nursery() as nursery:
                for number in range(AT_ONCE):
                    nursery.start_soon(post, system, f"token{group:02}x{number}")


if __name__ == "__main__":
    trio.run(main, sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None)
