"""From a `Team` to living actors: the spawns, in order, again at each restart of a supervisor."""

from __future__ import annotations

import functools
from typing import Any, Protocol

from actors.cli.team import Child, Crew
from actors.cli.what import OnLine, Surroundings, what_of
from actors.core.ref import Ref
from actors.policy import Policy
from actors.supervision.supervisor import Supervisor

__all__ = ["PlantedSupervisor", "plant"]


class _Spawner(Protocol):
    def spawn(
        self, what: Any, *args: Any, name: str | None, policy: Policy | None, significant: bool
    ) -> Ref: ...


def plant(spawner: _Spawner, children: tuple[Child, ...], surroundings: Surroundings) -> None:
    """Spawn the children in order. Raises what `spawn` raises."""
    for child in children:
        spec = child.spec
        voice = None if surroundings.on_line is None else _Voice(surroundings.on_line)
        what = (
            functools.partial(PlantedSupervisor, child, surroundings)
            if isinstance(child, Crew)
            else what_of(child, surroundings, voice)
        )
        ref = spawner.spawn(what, name=spec.name, policy=spec.policy, significant=spec.significant)
        if voice is not None:
            voice.path = ref.path


class PlantedSupervisor(Supervisor):
    """A supervisor of a file: it spawns what stands below it, again after each restart."""

    def __init__(self, crew: Crew, surroundings: Surroundings) -> None:
        self.strategy = crew.spec.whole_strategy
        self.auto_shutdown = crew.spec.auto_shutdown
        self._children = crew.children
        self._surroundings = surroundings

    async def on_start(self) -> None:
        """Spawn the children; each has its own start."""
        plant(self, self._children, self._surroundings)


class _Voice:
    """What an agent's lines are heard under: its path, which it has from its spawn on."""

    def __init__(self, on_line: OnLine) -> None:
        self.path = ""
        self._on_line = on_line

    def __call__(self, stream: str, line: bytes) -> None:
        self._on_line(self.path, stream, line)
