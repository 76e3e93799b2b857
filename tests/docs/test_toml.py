"""The TOML on the pages."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from actors.cli.structure import structure_file

DOCS = Path(__file__).parents[2] / "docs"
BLOCKS = [
    pytest.param(block, id=f"{page.stem}-{number}")
    for page in sorted(DOCS.glob("*.md"))
    for number, block in enumerate(re.findall(r"```toml\n(.*?)```", page.read_text(), re.DOTALL))
]


@pytest.mark.parametrize("block", BLOCKS)
def test_every_file_shown_on_a_page_is_one(block: str) -> None:
    """Its keys and values are taken as they stand; programs and modules are examples."""
    spec = structure_file(tomllib.loads(block))
    assert spec.agents or spec.supervisors or spec.include
