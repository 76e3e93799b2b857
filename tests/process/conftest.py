"""Fixtures for tests with real processes."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from tests.process.witnesses import Heard, Lifeline


@pytest.fixture
def heard() -> Heard:
    """Remembers the lines of a process."""
    return Heard()


@pytest.fixture
async def lifeline(tmp_path: Path) -> AsyncGenerator[Lifeline]:
    """Ends when no process of the test lives."""
    line = Lifeline(tmp_path / "lifeline")
    yield line
    line.close()
