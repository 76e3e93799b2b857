"""What users derive from and decorate: `Actor`, `@receive`, `@function`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, overload

from actors.core.dispatch import HOOKS, Handler, build_table, check_hook, is_marked, is_plain, receives
from actors.core.yielding import driven
from actors.errors import Unhandled

if TYPE_CHECKING:
    from actors.core.context import Context
    from actors.exits import Exit

__all__ = ["Actor", "Done", "function", "needs_ready", "receive"]

F = TypeVar("F", bound=Callable[..., Any])

_READINESS = "__actors_readiness__"


def receive(method: F, /) -> F:
    """Make a method the handler of the message types that its parameter is annotated with.

    `A | B` is two types. The method may be plain or `async`; what it returns answers
    the asker. An async generator answers in chunks, see `StreamRequest`. A missing
    annotation, or not exactly one message parameter, raises TypeError here, when the
    class is defined.
    """
    if not callable(method):
        raise TypeError(f"@receive decorates a method, not {method!r}")
    # the class body: messages may be defined beside the class, inside a function
    frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
    names: dict[str, Any] = {}
    if frame.f_back is not None:
        names.update(frame.f_back.f_locals)
    names.update(frame.f_locals)
    name = getattr(method, "__name__", "")
    if is_marked(frame.f_locals.get(name)):
        raise TypeError(
            f"{method.__qualname__} is a handler already in this class, and the second would replace it: "
            f"give it another name"
        )
    receives(method, names)
    return method


@overload
def function(decorated: F, /) -> F: ...
@overload
def function(*, readiness: bool = False) -> Callable[[F], F]: ...
def function(decorated: Any = None, /, *, readiness: bool = False) -> Any:
    """Mark an async function as an actor that says itself when it is ready.

    With `readiness=True` it is ready when it calls `ctx.ready()`, otherwise when its task runs.
    """
    if not isinstance(readiness, bool):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(
            f"readiness must be True or False, not {readiness!r}: write @function(readiness=True)"
        )

    def decorate(decorated: Any) -> Any:
        if not callable(decorated):
            raise TypeError(f"@function decorates an async function, not {decorated!r}")
        setattr(decorated, _READINESS, readiness)
        return decorated

    return decorate if decorated is None else decorate(decorated)


def needs_ready(decorated: object) -> bool:
    """True when the function was made with `@function(readiness=True)`."""
    return bool(getattr(decorated, _READINESS, False))


class Done:
    """What the base's hooks return: a hook may `await super().on_start()`, a plain one need not."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, Any, None]:
        return
        yield


_DONE = Done()


class Actor:
    """The base of actors with handlers.

    One message is handled at a time. `self.ctx` is there from before `__init__` on.
    Handlers and hooks are `async`, or plain functions where they wait for nothing: an
    actor that has only plain ones needs no task, and costs far less. Plain code cannot
    be cancelled: neither `kill()` nor a limit ends it before it returns.
    """

    __slots__ = ("__dict__", "__weakref__", "ctx")

    ctx: Context
    """This incarnation's context."""

    actor_kind: ClassVar[str] = "actor"
    """What `system.tree()` calls it."""

    _dispatch: ClassVar[dict[type, Handler | None]] = {}
    _plain: ClassVar[bool] = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for hook in HOOKS:
            check_hook(cls, hook)
        table = {kind: driven(handler) for kind, handler in build_table(cls).items()}
        cls._dispatch = dict(table)
        cls._plain = is_plain(cls, table)

    def on_restore(self, state: Any) -> Any:
        """Runs before `on_start` of every incarnation, if `ctx.save` has kept a state: this one.

        While the store is not available the actor is STARTING: without its state it does not begin.
        Where several nodes share the store an actor begins anew, with the last state, when its name
        comes to this node after another one has had it.
        `async`, or plain. Raising is a failed start, as in `on_start`.
        """
        return _DONE

    def on_start(self) -> Any:
        """Runs before the first message of every incarnation; `async`, or plain.

        The actor is ready when it returns. Raising is a failed start, which counts like
        a failure. Never interrupted; cancelled by `kill()`, or by a stop that takes
        longer than `shutdown` seconds.
        """
        return _DONE

    def on_stop(self, exit: Exit) -> Any:
        """Runs at the end of every incarnation, however it ended, also after a failed start.

        Shielded from cancellation for at most `shutdown` seconds. Raising, or running
        out of that time, is a `StopFailed` event and does not change the exit.
        """
        return _DONE

    def on_unhandled(self, message: object) -> Any:
        """Runs for a message without a handler; what it returns answers the asker.

        It is the handler of such messages: `interrupt()` ends it like any other.
        The default makes a told message a dead letter and gives an asker `Unhandled`.
        """
        raise Unhandled(self.ctx.ref, message)
