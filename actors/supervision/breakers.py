"""The breakers of one system, by path. They live as long as the system, also after their actors."""

from __future__ import annotations

from collections.abc import Callable

from actors.outcome import FailureKind
from actors.policy import Breaker
from actors.supervision.breaker import BreakerState, Circuit, CircuitState

__all__ = ["Breakers"]


class Breakers:
    """Path → circuit, made at the first failure. Adhoc actors never enter."""

    __slots__ = ("_circuits", "_now")

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._circuits: dict[str, Circuit] = {}

    def __len__(self) -> int:
        return len(self._circuits)

    def find(self, path: str) -> Circuit | None:
        """The circuit of a path that has failed before, or None."""
        return self._circuits.get(path)

    def failure(self, path: str, policy: Breaker, kind: FailureKind) -> bool:
        """Record a failure; True when it opened the breaker."""
        circuit = self._circuits.get(path)
        if circuit is None:
            circuit = self._circuits[path] = Circuit(policy)
        circuit.policy = policy
        return circuit.failure(self._now(), kind)

    def view(self, path: str) -> BreakerState:
        """What the breaker of a path is like; never changes it, and a path without failures is CLOSED."""
        circuit = self._circuits.get(path)
        return BreakerState() if circuit is None else circuit.view(self._now())

    def views(self) -> dict[str, BreakerState]:
        """Every path that has failed, in order of its first failure."""
        return {path: self.view(path) for path in self._circuits}

    def reset(self, path: str) -> bool:
        """Forget all about a path; True when its breaker was not closed."""
        circuit = self._circuits.pop(path, None)
        return circuit is not None and circuit.state is not CircuitState.CLOSED
