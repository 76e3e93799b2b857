"""Growth at run time, bounded: `SpawnLimits` says how far, `SpawnTrigger` why.

Many actors waited for together: `Spawning`, `ReadyWatch`, `NetworkReady`; asked together: `sequential`,
`parallel`, `consensus`; and stopped together: `stop_all`.
"""

from actors.spawning.coordination import Consensus, consensus, parallel, sequential, stop_all
from actors.spawning.history import SpawnerStatistics, SpawnMetrics, SpawnRecord, SpawnRequest
from actors.spawning.limits import SpawnLimits
from actors.spawning.network import Spawning
from actors.spawning.news import NetworkReady, ReadyWatch
from actors.spawning.pool import Pool
from actors.spawning.readiness import SpawnStep
from actors.spawning.spawner import Spawner
from actors.spawning.template import Template
from actors.spawning.triggers import SpawnTrigger

__all__ = [
    "Consensus",
    "NetworkReady",
    "Pool",
    "ReadyWatch",
    "SpawnLimits",
    "SpawnMetrics",
    "SpawnRecord",
    "SpawnRequest",
    "SpawnStep",
    "SpawnTrigger",
    "Spawner",
    "SpawnerStatistics",
    "Spawning",
    "Template",
    "consensus",
    "parallel",
    "sequential",
    "stop_all",
]
