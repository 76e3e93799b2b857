"""Supervisors, restarts and breakers. Users import from `actors`."""

from actors.supervision.breaker import BreakerState, CircuitState
from actors.supervision.supervisor import Supervisor

__all__ = ["BreakerState", "CircuitState", "Supervisor"]
