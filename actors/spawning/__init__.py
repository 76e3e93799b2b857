"""Growth at run time, bounded: `SpawnLimits` says how far, `SpawnTrigger` why."""

from actors.spawning.limits import SpawnLimits
from actors.spawning.triggers import SpawnTrigger

__all__ = ["SpawnLimits", "SpawnTrigger"]
