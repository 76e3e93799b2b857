"""Fixtures for tests of terminals."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    """Who reads it waits for who writes it."""
    path = tmp_path / "fifo"
    os.mkfifo(path)
    return path
