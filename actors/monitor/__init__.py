"""The monitor: finds stalls and error patterns early, and steps in for agents in trouble."""

from actors.monitor.guard import WatchRecord
from actors.monitor.monitor import (
    MONITOR,
    MONITOR_POLICY,
    SERVICES_POLICY,
    SYSTEM,
    Monitor,
    Services,
    Watched,
    Watches,
)
from actors.monitor.tally import Figures, Latency, Tally

__all__ = [
    "MONITOR",
    "MONITOR_POLICY",
    "SERVICES_POLICY",
    "SYSTEM",
    "Figures",
    "Latency",
    "Monitor",
    "Services",
    "Tally",
    "WatchRecord",
    "Watched",
    "Watches",
]
