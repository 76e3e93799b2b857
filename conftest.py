"""The examples of the README and of the pages in `docs/` are tests; in how many processes all tests run.

Every Python block is a whole program.
"""

from __future__ import annotations

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser()],
    patterns=["README.md", "docs/*.md"],
    setup=lambda namespace: namespace.update(__name__="__example__"),
).pytest()


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """With `-p no:xdist` what `addopts` says about workers means nothing, rather than being an error."""
    if not pluginmanager.hasplugin("xdist"):
        for option in ("--numprocesses", "--dist"):
            parser.addoption(option, help="not in use: there is no xdist")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """The whole suite runs in two processes; what is named on the command line in one, without their start.

    Two on every machine: tests of real processes and of real time bring processes of their own.
    """
    return 2 if config.args_source is pytest.Config.ArgsSource.TESTPATHS else 0
