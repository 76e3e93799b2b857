"""What a node process runs: `python -m actors.worker`, started by `System.start_node`.

Its first line of stdin says what to be; its first line of stdout says where it listens. A thread
waits for the end of stdin, and not a task: a loop that stands still must not keep an orphan.
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import sys
import threading
import types
from functools import reduce
from typing import Any, Final

import trio

from actors.core.scope import DEFINING
from actors.messages import MAIN
from actors.system import System, open_system

__all__ = ["main"]

_GRACE: Final = 10.0
"""Seconds for an ordered end once the parent is gone."""
_ORPHANED: Final = 70


def _load(name: str) -> Any:
    """The class or function that `module:qualname` names. Raises ImportError or AttributeError."""
    module, _, qualname = name.partition(":")
    loaded = sys.modules[MAIN] if module == "__main__" else importlib.import_module(module)
    try:
        return reduce(getattr, qualname.split("."), loaded)
    except AttributeError:
        here = "the program" if module == "__main__" else module
        below = 'outside functions and `if __name__ == "__main__":`'
        raise AttributeError(f"{here} has no {qualname} when it is imported: define it {below}") from None


def _load_main(main: dict[str, Any]) -> None:
    """Run the parent's program for its definitions, under another name than `__main__`."""
    module = types.ModuleType(MAIN)
    named = main["module"]
    defining = DEFINING.set(True)
    try:
        if named is None:
            defined = runpy.run_path(main["file"], run_name=MAIN)
        else:
            defined = runpy.run_module(named, run_name=MAIN)
    finally:
        DEFINING.reset(defining)
    module.__dict__.update(defined)
    sys.modules[MAIN] = module


def main() -> int:
    """Be a node until stdin ends."""
    told: dict[str, Any] = json.loads(sys.stdin.buffer.readline() or b"{}")
    if "name" not in told:
        print("this is started by system.start_node(...); by hand use: actors node", file=sys.stderr)
        return 2
    out, parent = _private_ends()
    sys.path[:] = told["path"]
    try:
        if told["main"] is not None:
            _load_main(told["main"])
        spawnable = [_load(name) for name in told["spawnable"]]
    except Exception as error:
        _say(out, {"error": f"{type(error).__name__}: {error}"})
        return 2
    trio.run(_serve, told, spawnable, out, parent)
    return 0


def _private_ends() -> tuple[int, int]:
    """Our ends of the parent's pipes. What actors print, read or start must not get at them."""
    out, parent = os.dup(1), os.dup(0)
    os.dup2(2, 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return out, parent


def _say(out: int, said: dict[str, str]) -> None:
    os.write(out, json.dumps(said).encode() + b"\n")
    os.close(out)


async def _serve(told: dict[str, Any], spawnable: list[Any], out: int, parent: int) -> None:
    ended = threading.Event()
    try:
        async with open_system(told["name"], spawnable=spawnable, lease=told["lease"]) as system:
            listener = await system.listen("127.0.0.1", 0, token=told["token"])
            _say(out, {"url": listener.url})
            _watch_parent(system, parent, ended)
            await trio.sleep_forever()
    finally:
        ended.set()


def _watch_parent(system: System, parent: int, ended: threading.Event) -> None:
    token = trio.lowlevel.current_trio_token()

    def watch() -> None:
        while os.read(parent, 4096):
            pass
        try:
            token.run_sync_soon(system.stop)
        except trio.RunFinishedError:
            return
        if not ended.wait(_GRACE):
            os._exit(_ORPHANED)

    threading.Thread(target=watch, name="parent watch", daemon=True).start()


if __name__ == "__main__":
    sys.exit(main())
