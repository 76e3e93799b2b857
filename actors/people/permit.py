"""`Permit`: the right to carry out one approved action once."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import trio

from actors.people.action import Action
from actors.people.book import Grant, GrantState
from actors.people.errors import ActionChanged, PermitUsed
from actors.people.request import Answer, shown

__all__ = ["Permit"]


class Permit:
    """What `desk.permission` returns. It is claimed once."""

    def __init__(
        self,
        answer: Answer,
        action: Action,
        grant: Grant,
        key: str | None,
        claimed: Callable[[str | None, Grant], Awaitable[None]],
    ) -> None:
        self._answer = answer
        self._action = action
        self.grant = grant
        """The framework's own side: shared by all permits of one approval."""
        self.key = key
        """The key of its request."""
        self._claimed = claimed

    def __repr__(self) -> str:
        return f"<Permit {self.id} for {self._action}, {self.grant.state.value}>"

    @property
    def id(self) -> str:
        """The id of the request that was approved."""
        return self._answer.id

    @property
    def by(self) -> str | None:
        """Who has approved it."""
        return self._answer.by

    @property
    def at(self) -> float:
        """When."""
        return self._answer.at

    @property
    def digest(self) -> str:
        """That of the action which was approved."""
        return self._action.digest

    @property
    def is_open(self) -> bool:
        """Whether it can still be claimed."""
        return self.grant.state is GrantState.OPEN

    @asynccontextmanager
    async def claim(self, action: Action) -> AsyncGenerator[None]:
        """A block in which the action is carried out: `async with permit.claim(action): ...`.

        Entering is a checkpoint; with a key and a durable store it is on the disk then that it was begun.
        Whatever happens in the block, cancellation and the end of the process included, it is not entered
        again: at most once, not exactly once. Raises `ActionChanged` where the action is not the approved
        one (and the permit is void then), and `PermitUsed`.
        """
        if not isinstance(action, Action):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"{shown(action)} is no action: pass the one that is to be carried out now")
        await trio.lowlevel.checkpoint_if_cancelled()
        if self.grant.state is not GrantState.OPEN:
            raise PermitUsed(self.id, str(self._action), void=self.grant.state is GrantState.VOID)
        changed = action.digest != self.digest
        self.grant.state = GrantState.VOID if changed else GrantState.CLAIMED
        await self._claimed(self.key, self.grant)
        if changed:
            raise ActionChanged(self.id, str(self._action), str(action))
        yield
