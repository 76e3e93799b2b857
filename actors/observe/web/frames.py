"""What is said over the live connection: frames, JSON objects with a `type`, encoded once for all. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

__all__ = [
    "LONGEST",
    "Held",
    "dumps",
    "events_frames",
    "frame",
    "patch_frame",
    "queue_frames",
    "request_frames",
    "tree_frames",
]

T = TypeVar("T")

LONGEST: Final = 32 * 1024
"""Characters of a frame, but for one thing that is longer by itself: so that none takes long to pack."""

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


def events_frames(facts: Iterable[tuple[int, str]], after: int, missed: int) -> list[str]:
    """Facts, by number: the next ones come after the number `after`; `missed` were kept no more."""
    parts = list(_parts(facts, _size))
    if not parts:
        return [_events((), after, missed)]
    frames = [_events(part, part[-1][0], missed if part is parts[0] else 0) for part in parts[:-1]]
    return [*frames, _events(parts[-1], after, 0 if frames else missed)]


def _events(facts: Iterable[tuple[int, str]], after: int, missed: int) -> str:
    lines = ",".join(line for _, line in facts)
    return f'{{"type":"events","after":{after},"missed":{missed},"facts":[{lines}]}}'


def _size(one: tuple[int, str]) -> int:
    return len(one[1])


def _parts(lines: Iterable[T], size: Callable[[T], int]) -> Iterator[list[T]]:
    """In lists that are short enough for one frame each; what is longer by itself stands alone."""
    part: list[T] = []
    length = 0
    for line in lines:
        if part and length + size(line) > LONGEST:
            yield part
            part, length = [], 0
        part.append(line)
        length += size(line)
    if part:
        yield part


Held = Mapping[str, tuple[str, str | None]]
"""Requests by id: (as JSON, for whom)."""


def request_frames(before: Held, now: Held, may_see: Callable[[str | None], bool]) -> list[str]:
    """What has changed in a queue, for one who sees a part of it.

    A request that went on to somebody else is gone from the queue that it was in.
    """
    shown = [line for key, (line, to) in now.items() if before.get(key) != (line, to) and may_see(to)]
    gone = [
        key for key, (_, to) in before.items() if may_see(to) and (key not in now or not may_see(now[key][1]))
    ]
    return _requests(shown, gone, full=False) if shown or gone else []


def queue_frames(now: Held, may_see: Callable[[str | None], bool]) -> list[str]:
    """A whole queue: the first frame says that what was known is void."""
    return _requests([line for line, to in now.values() if may_see(to)], [], full=True)


def _requests(shown: list[str], gone: list[str], *, full: bool) -> list[str]:
    parts = list(_parts(shown, len)) or [[]]
    frames: list[str] = []
    for number, part in enumerate(parts):
        first = number == 0
        said = f'"full":{dumps(full and first)},"gone":{dumps(gone if first else [])}'
        frames.append(f'{{"type":"requests",{said},"requests":[{",".join(part)}]}}')
    return frames
