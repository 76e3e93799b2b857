"""What tools take and answer, as types with words: MCP clients see them as JSON schemas."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field
from typing_extensions import TypedDict

__all__ = [
    "Json",
    "Limit",
    "Message",
    "Number",
    "Path",
    "Paths",
    "Seconds",
    "Seen",
    "Wait",
]

Json = Any
Number = Annotated[float, Field(ge=0, allow_inf_nan=False)]
"""0 or more, and finite."""
Message = Annotated[
    str | dict[str, Any],
    Field(description='Text, or an object of a known class with its tag under "$".'),
]
Path = Annotated[
    str, Field(description='An actor: its path, as "/agents/me/worker-1", or the name of a child of yours.')
]
Paths = Annotated[
    list[str], Field(description="Actors, each by its path or as the name of a child.", min_length=1)
]
Seconds = Annotated[
    float | None,
    Field(description="At most so many seconds; without it there is no limit.", ge=0, allow_inf_nan=False),
]
Wait = Annotated[
    float,
    Field(
        description="0: what is there now. Else wait so many seconds for the first, then take all.",
        ge=0,
        allow_inf_nan=False,
    ),
]
Limit = Annotated[int, Field(description="At most so many.", ge=1, le=10_000)]


class Seen(TypedDict):
    """An actor as it is now."""

    path: str
    name: Annotated[str | None, Field(description="None: it has none, and its path ends in ~ and a number.")]
    kind: str
    state: Annotated[
        str,
        Field(
            description="STARTING, IDLE, BUSY (something is in hand), BACKING_OFF, CIRCUIT_OPEN, SUSPENDED, "
            "STOPPING, STOPPED or UNREACHABLE."
        ),
    ]
    waiting: Annotated[int, Field(description="How many messages wait for it.")]
    restarts: int
