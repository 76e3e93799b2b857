"""What is said over the live connection: frames, JSON objects with a `type`, encoded once for all. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

__all__ = ["dumps", "events_frame", "frame", "patch_frame", "queue_frame", "request_frame", "tree_frames"]

_PART: Final = 100
"""Actors in one frame of a whole tree: a large one comes in parts, so that none takes long."""


def dumps(value: Any) -> str:
    """As JSON, in as few characters as can be."""
    return json.dumps(value, separators=(",", ":"))


def frame(kind: str, **facts: Any) -> str:
    """One frame."""
    return dumps({"type": kind, **facts})


def tree_frames(lines: Sequence[str]) -> list[str]:
    """A whole tree: `full` says that what was known is void, `more` that another part follows."""
    parts = [lines[begin : begin + _PART] for begin in range(0, len(lines), _PART)] or [()]
    last = len(parts) - 1
    return [_tree(part, (), full=number == 0, more=number < last) for number, part in enumerate(parts)]


def patch_frame(lines: Iterable[str], gone: Iterable[str]) -> str:
    """What has changed in the tree."""
    return _tree(lines, gone, full=False, more=False)


def _tree(lines: Iterable[str], gone: Iterable[str], *, full: bool, more: bool) -> str:
    said = f'"full":{dumps(full)},"more":{dumps(more)},"gone":{dumps(list(gone))}'
    return f'{{"type":"tree",{said},"nodes":[{",".join(lines)}]}}'


def events_frame(lines: Iterable[str], after: int, missed: int) -> str:
    """Facts: the next ones come after the number `after`; `missed` were kept no more."""
    return f'{{"type":"events","after":{after},"missed":{missed},"facts":[{",".join(lines)}]}}'


def request_frame(
    before: Mapping[str, tuple[str, str | None]],
    now: Mapping[str, tuple[str, str | None]],
    may_see: Callable[[str | None], bool],
) -> str | None:
    """What has changed in a queue: by id, (the request as JSON, for whom). None where one does not see it.

    A request that went on to somebody else is gone from the queue that it was in.
    """
    shown = [line for key, (line, to) in now.items() if before.get(key) != (line, to) and may_see(to)]
    gone = [
        key for key, (_, to) in before.items() if may_see(to) and (key not in now or not may_see(now[key][1]))
    ]
    if not (shown or gone):
        return None
    return f'{{"type":"requests","full":false,"gone":{dumps(gone)},"requests":[{",".join(shown)}]}}'


def queue_frame(now: Mapping[str, tuple[str, str | None]], may_see: Callable[[str | None], bool]) -> str:
    """A whole queue."""
    shown = ",".join(line for line, to in now.values() if may_see(to))
    return f'{{"type":"requests","full":true,"gone":[],"requests":[{shown}]}}'
