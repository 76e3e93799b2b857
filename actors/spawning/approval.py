"""The approval hook of a spawner: what it may be, and what its answers mean."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import isawaitable, iscoroutine
from typing import TypeAlias

from actors.errors import SpawnDenied
from actors.spawning.history import SpawnRequest

__all__ = ["Approve", "answer_now", "answer_of"]

Approve: TypeAlias = "Callable[[SpawnRequest], bool | str | Awaitable[bool | str]]"
"""True approves; False or a text, the reason, denies."""


def answer_now(approve: Approve | None, request: SpawnRequest) -> SpawnDenied | None:
    """Ask a hook that does not wait: its refusal, or None. Raises TypeError for an async one."""
    if approve is None:
        return None
    answer = approve(request)
    if isawaitable(answer):
        if iscoroutine(answer):
            answer.close()
        raise TypeError("spawn cannot wait for an async approve: await start(...) or wait_spawn(...)")
    return _denial(answer)


async def answer_of(approve: Approve | None, request: SpawnRequest) -> SpawnDenied | None:
    """Ask any hook: its refusal, or None. A checkpoint where the hook is one."""
    if approve is None:
        return None
    answer = approve(request)
    return _denial(await answer if isawaitable(answer) else answer)


def _denial(answer: object) -> SpawnDenied | None:
    if answer is True:
        return None
    if answer is False or isinstance(answer, str):
        return SpawnDenied(answer or "")
    raise TypeError(f"approve must answer True, False or a text, not {answer!r}")
