"""The watchdog: a thread that notices when the event loop stands still.

A loop that is blocked cannot tell, so a thread looks at it, a few times in the span that
is worth a warning: which step of which task does it run? The loop does nothing for that:
an instrument of trio would cost every pass more than the watch is worth. What the thread
reads of trio is private; where it does not find it, it is silent.

There is one thread for all systems of one `trio.run`.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Generator, Hashable, Iterable, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

import attrs
import trio

from actors.core.turn import turn
from actors.limits import Watchdog
from actors.observe.spell import Report, ReportKind, Spell

if TYPE_CHECKING:
    from actors.core.cell import Cell

__all__ = ["Blocked", "watched_loop"]

_log = logging.getLogger("actors.watchdog")
_LOOKS = 4
"""Looks in the span of a warning."""
_JOIN_SECONDS = 1.0
"""How long the end of a system waits for the thread; a broken log handler may hold it."""

Blocked = Callable[[float, str], object]
"""Called in the loop after a spell, with its seconds and the place."""


class _Dog:
    """The thread, and the systems that want it."""

    def __init__(self, policy: Watchdog) -> None:
        self.policy = policy
        self.listeners: list[Blocked] = []
        self._stop = threading.Event()
        self._loop = threading.get_ident()
        self._token = trio.lowlevel.current_trio_token()
        self._context = _run_context()
        self._where = ""
        self._over: deque[tuple[float, str]] = deque()
        self._thread = threading.Thread(target=self._run, name="actors watchdog", daemon=True)

    def start(self) -> None:
        """Begin to look. Raises RuntimeError where there is no thread to be had."""
        self._thread.start()

    def end(self) -> None:
        """No more looks. What is over by now is told here: the loop will not come to it in time."""
        self._stop.set()
        self._thread.join(_JOIN_SECONDS)
        self._give()

    def _run(self) -> None:
        spell = Spell(self.policy)
        while not self._stop.wait(self.policy.warn / _LOOKS):
            self._tell_all(spell.sample(time.monotonic(), self._step()))
        self._tell_all(spell.sample(time.monotonic(), None))

    def _step(self) -> Hashable:
        """What names the step that the loop runs; None while it waits."""
        try:
            task = self._context["task"]
            return task._counter, task._schedule_points  # no id(): the next task may have the same
        except (KeyError, AttributeError):
            return None

    def _place(self) -> str:
        """The innermost place in the loop's thread, and the task: an actor's is named by its path."""
        frame, task = _frames().get(self._loop), self._context.get("task")
        if frame is None or task is None:
            return "an unknown place"
        code = frame.f_code
        return (
            f"{code.co_qualname} ({code.co_filename}:{frame.f_lineno}), "
            f"task {_actor_at_turn(frame) or task.name}"
        )

    def _tell_all(self, reports: Iterable[Report]) -> None:
        for report in reports:
            with contextlib.suppress(Exception):  # a broken log handler must not end the watch
                self._tell(report)

    def _tell(self, report: Report) -> None:
        if report.kind is ReportKind.OVER:
            self._post(report.seconds, self._where)
            _log.warning("the event loop goes on, after %.1f s in %s", report.seconds, self._where)
        elif report.kind is ReportKind.WARN:
            self._where = self._place()
            _log.warning(
                "the event loop has stood still for %.1f s in %s: await, or use trio.to_thread.run_sync",
                report.seconds,
                self._where,
            )
        else:
            _log.error("the event loop has stood still for %.1f s\n%s", report.seconds, _stacks())

    def _post(self, seconds: float, where: str) -> None:
        self._over.append((seconds, where))
        with contextlib.suppress(trio.RunFinishedError):
            self._token.run_sync_soon(self._give)

    def _give(self) -> None:
        """Give what is over to all systems; in the loop's thread."""
        while self._over:
            seconds, where = self._over.popleft()
            for listener in tuple(self.listeners):
                listener(seconds, where)


def _frames() -> dict[int, FrameType]:
    """What each thread runs. Look, and let go: a frame keeps alive all that it refers to."""
    return sys._current_frames()  # pyright: ignore[reportPrivateUsage]


def _actor_at_turn(frame: FrameType | None) -> str | None:
    """The path of the actor without a task whose turn this is: it runs in the task of somebody else."""
    while frame is not None:
        if frame.f_code is turn.__code__:
            cell: Cell | None = frame.f_locals.get("cell")
            return None if cell is None else cell.path
        frame = frame.f_back
    return None


def _run_context() -> Mapping[str, Any]:
    """Where trio keeps the task whose step it runs, as the loop's own thread sees it."""
    found: object = getattr(sys.modules.get("trio._core._run"), "GLOBAL_RUN_CONTEXT", None)
    return getattr(found, "__dict__", {})


def _stacks() -> str:
    """The stacks of all threads."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    return "\n".join(
        f"--- {names.get(ident, ident)}\n" + "".join(traceback.format_stack(frame)).rstrip()
        for ident, frame in _frames().items()
        if ident != threading.get_ident()
    )


@attrs.define
class _Kennel:
    """The thread of one run of trio, while a system wants it."""

    dog: _Dog | None = None


_KENNEL: trio.lowlevel.RunVar[_Kennel] = trio.lowlevel.RunVar("actors_watchdog")


def _dog_of_this_run(policy: Watchdog) -> _Dog | None:
    """The thread, begun if it is not there; None where there is none to be had."""
    try:
        kennel = _KENNEL.get()
    except LookupError:
        kennel = _Kennel()
        _KENNEL.set(kennel)
    if kennel.dog is None:
        dog = _Dog(policy)
        try:
            dog.start()
        except RuntimeError as error:  # a system that nobody watches is better than none
            with contextlib.suppress(Exception):
                _log.warning("nobody watches the event loop: %s", error)
            return None
        kennel.dog = dog
    return kennel.dog


@contextmanager
def watched_loop(policy: Watchdog | None, blocked: Blocked) -> Generator[None]:
    """Watch the loop inside the block. The first system of a `trio.run` sets the limits for all in it."""
    dog = None if policy is None else _dog_of_this_run(policy)
    if dog is None:
        yield
        return
    dog.listeners.append(blocked)
    try:
        yield
    finally:
        if len(dog.listeners) == 1:
            _KENNEL.get().dog = None
            dog.end()
        dog.listeners.remove(blocked)
