"""The block of `open_system`, which owns every task of the system.

It has two parts. The body runs in the caller's task. The actors run in a host task of their own, shielded,
so that cancellation from outside reaches the body first; the block then ends the tree in order, children
before parents, and lets the cancellation go on. Whatever happens, the host has ended before the block does.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import trio

from actors.errors import SupervisorFailed, flatten
from actors.events import LoopBlocked
from actors.features import Features
from actors.limits import Watchdog
from actors.observe.watchdog import watched_loop

__all__ = ["Block"]


class Block:
    """The block of one system."""

    def __init__(self, features: Features, watchdog: Watchdog | None) -> None:
        self._features = features
        self._root = features.root
        self._name = features.kernel.name
        self._watchdog = watchdog
        self.body = trio.CancelScope()
        """Around the body."""
        self.ended = trio.Event()
        """Set when nothing of the system lives any more."""

    @asynccontextmanager
    async def run(self) -> AsyncGenerator[None]:
        """The block itself."""
        causes: list[BaseException] = []
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._host, name=f"host of {self._name}")
                try:
                    await self._root.wait_started()
                    if self._features.store_given:
                        await self._features.open_store()
                    with self.body:
                        yield
                    await self._close()
                except BaseException as error:
                    causes.append(error)
                    await self._close_now()
        except BaseException as error:
            causes.extend(flatten(error))
        exit = self._root.exit
        if exit is not None and exit.is_failure:
            causes.append(SupervisorFailed(self._name, exit.error))
        _raise(causes)

    async def _host(self) -> None:
        """Own every task of the system until the root is gone."""
        features, root = self._features, self._root
        try:
            with watched_loop(self._watchdog, self._tell_blocked), trio.CancelScope(shield=True):
                async with trio.open_nursery() as outer:  # actors without a task need turns to end
                    outer.start_soon(features.kernel.dispatcher.run, name=f"dispatcher of {self._name}")
                    try:
                        async with trio.open_nursery() as nursery:
                            nursery.start_soon(features.kernel.alarms.run, name=f"alarms of {self._name}")
                            root.launch(nursery)
                            await root.wait_stopped()
                            nursery.cancel_scope.cancel()
                    finally:
                        outer.cancel_scope.cancel()
        finally:
            features.close()
            self.ended.set()

    def _tell_blocked(self, seconds: float, where: str) -> None:
        bus = self._features.bus
        if bus.wants(LoopBlocked):
            bus.emit(LoopBlocked(self._features.kernel.now(), seconds, where))

    async def _close(self) -> None:
        self._root.stop()
        await self.ended.wait()

    async def _close_now(self) -> None:
        self._root.kill()
        with trio.CancelScope(shield=True):
            await self.ended.wait()


def _raise(causes: list[BaseException]) -> None:
    """Raise one plain exception for one cause, one flat group for several; Ctrl-C comes first."""
    for error in causes:
        for leaf in flatten(error):
            if isinstance(leaf, KeyboardInterrupt):
                raise leaf
    told = [error for error in causes if not isinstance(error, trio.Cancelled)]
    if len(told) > 1:
        leaves = [leaf for error in told for leaf in flatten(error) if not isinstance(leaf, trio.Cancelled)]
        raise BaseExceptionGroup("the body of open_system and its actors failed", leaves)
    for error in told or causes[:1]:
        raise error
