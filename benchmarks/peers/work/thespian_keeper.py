"""Shuts Thespian's admin down when its input ends: whoever started that may have been killed.

`python -P thespian_keeper.py BASE PORT`; without -P it would find the wrong `thespian` beside it.
"""

from __future__ import annotations

import sys


def main(base: str, port: str) -> None:
    """Wait, then join the system of that port and end it."""
    sys.stdin.read()
    from thespian.actors import ActorSystem

    ActorSystem(base, {"Admin Port": int(port)}).shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
