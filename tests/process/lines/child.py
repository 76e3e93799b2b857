"""A child for tests: does what its requests say, so that each test has its child in sight.

A request is `[verb, argument]`. What the child knows of its lines it tells on stderr, line by line.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from typing import Any

SIZE = 1 << 20


def say(**words: Any) -> None:
    raw((json.dumps(words) + "\n").encode())


def raw(data: bytes) -> None:
    while data:
        data = data[os.write(1, data) :]


def note(text: str) -> None:
    os.write(2, (text + "\n").encode())


held: list[int] = []


def do(id: int | None, verb: str, given: Any, line: dict[str, Any]) -> None:
    match verb:
        case "echo":
            say(id=id, reply=given)
        case "line":
            say(id=id, reply=line)
        case "hold":  # until another one lets go
            say(progress=1)
            held.append(id or 0)
        case "die":  # while others are in the pipe
            say(progress=1)
            time.sleep(given)
            os._exit(7)
        case "release":
            for one in reversed(held):
                say(id=one, reply=["released", one])
            held.clear()
            say(id=id, reply="done")
        case "say":  # each of these lines, as it stands
            for text in given:
                raw(text.replace("ID", str(id)).encode() + b"\n")
        case "raw":
            raw(given.replace("ID", str(id)).encode())
        case "bytes":
            raw(bytes.fromhex(given))
        case "flood":
            for _ in range(given):
                say(progress=1)
            say(id=id, reply=given)
        case "endless":  # a line without an end
            for _ in range(given):
                raw(b"x" * SIZE)
            say(id=id, reply="done")
        case "exit":
            os._exit(given)
        case "exit_after":  # with the reply still in the pipe
            say(id=id, reply="last")
            os._exit(given)
        case "close":
            os.close(given)
            time.sleep(60)
        case "sleep":
            say(progress=1)
            time.sleep(given)
            say(id=id, reply="slept")
        case "pid":
            say(id=id, reply=os.getpid())
        case "fork":  # one more in the group, deaf to TERM
            if os.fork() == 0:
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                say(id=id, reply=os.getpid())
                time.sleep(60)
        case "note":
            note(given)


def main() -> None:
    options = sys.argv[1:]
    if "deaf" in options:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if "mute" in options:
        print("loading the model", flush=True)
        note("this may take long")
        time.sleep(60)
    if "silent" not in options:
        say(ready=True)
    while text := sys.stdin.readline():
        line = json.loads(text)
        if "notes" in options:
            note(text.strip())
        if "cancel" in line and "polite" in options and line["cancel"] in held:
            held.remove(line["cancel"])
            say(id=line["cancel"], cancelled=True)
        elif "stop" in line and "stubborn" not in options:
            note("told to stop")
            break
        elif "request" in line:
            verb, given = line["request"]
            do(line["id"], verb, given, line)
        elif "message" in line and isinstance(line["message"], list):
            verb, given = line["message"]
            do(line.get("id"), verb, given, line)
    if "stubborn" in options:
        note("stdin is closed")
        time.sleep(60)


main()
