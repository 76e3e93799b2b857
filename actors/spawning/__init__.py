"""Growth at run time, bounded: `SpawnLimits` says how far, `SpawnTrigger` why.

Many actors asked together: `sequential`, `parallel`, `consensus`; and stopped together: `stop_all`.
"""

from actors.spawning.coordination import Consensus, consensus, parallel, sequential, stop_all
from actors.spawning.limits import SpawnLimits
from actors.spawning.triggers import SpawnTrigger

__all__ = [
    "Consensus",
    "SpawnLimits",
    "SpawnTrigger",
    "consensus",
    "parallel",
    "sequential",
    "stop_all",
]
