"""Fixtures for tests of terminals."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from actors.process.terminal.crowd import MARK


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    """Who reads it waits for who writes it."""
    path = tmp_path / "fifo"
    os.mkfifo(path)
    return path


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Generator[Path]:
    """Where all terminals of the test are, under a short name; at its end none of their processes runs."""
    tmp_path_factory.getbasetemp()  # pytest has its own place before that changes
    path = Path(tempfile.mkdtemp(prefix="t-", dir="/tmp"))
    monkeypatch.setattr(tempfile, "tempdir", str(path))
    monkeypatch.setenv("TMPDIR", str(path))
    try:
        yield path
        assert processes_of(path) == []
    finally:
        shutil.rmtree(path)


def left_in(folder: Path) -> list[str]:
    """What is in it."""
    return sorted(entry.name for entry in folder.iterdir())


def processes_of(folder: Path) -> list[str]:
    """What runs for terminals below the folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if f"{MARK}={folder}/".encode() in (entry / "environ").read_bytes():
                    found.append((entry / "cmdline").read_text().replace("\0", " "))
            except OSError:
                pass
    return found
