"""The errors of a child that is spoken to in lines: of one request, and of the child itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.errors import ActorError
from actors.process.completed import Completed, command_line, last_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.core.ref import Ref

__all__ = ["ChildError", "ProtocolBroken"]


class ChildError(ActorError):
    """The child answered this request with an error; it lives on, and so does its actor.

    `.text` is what it said; `.request` what it was asked.
    """

    def __init__(self, ref: Ref, request: object, text: str) -> None:
        self.ref = ref
        self.request = request
        self.text = text
        super().__init__(f"{ref.path} could not do {type(request).__name__}: {text}")


class ProtocolBroken(ActorError):
    """There was no talking to the child, so it was ended: `.why`, and its output in `.completed`."""

    def __init__(
        self, why: str, argv: Sequence[str | bytes], completed: Completed, was_ready: bool = True
    ) -> None:
        self.why = why
        self.argv = tuple(argv)
        self.completed = completed
        super().__init__(f"{command_line(self.argv)} {why}; {last_words(completed, was_ready)}")
