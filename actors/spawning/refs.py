"""Many refs that a caller names, checked at the door."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any, cast

from actors.core.ref import Ref

__all__ = ["as_refs"]


def as_refs(refs: object) -> tuple[Ref, ...]:
    """The refs, each once and in order; TypeError for anything else, with the place and the cure."""
    if isinstance(refs, Ref) or not isinstance(refs, Iterable):
        raise TypeError(f"refs must be a list of refs, not {refs!r}: write [ref]")
    several = tuple(cast("Iterable[Any]", refs))
    for index, ref in enumerate(several):
        if inspect.iscoroutine(ref):
            ref.close()
            name = ref.__qualname__
            raise TypeError(f"refs[{index}] is the call {name}(...), not a Ref: await it first")
        if not isinstance(ref, Ref):
            raise TypeError(f"refs[{index}] is {ref!r}, not a Ref: pass what spawn() or find() returned")
    return tuple(dict.fromkeys(several))
