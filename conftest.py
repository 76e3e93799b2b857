"""Run the examples of the README and of the pages in `docs/`: every Python block is a whole program."""

from __future__ import annotations

from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser()],
    patterns=["README.md", "docs/*.md"],
    setup=lambda namespace: namespace.update(__name__="__example__"),
).pytest()
