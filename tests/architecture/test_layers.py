"""The house rules: imports run one way, decisions are pure, nobody reads a wall clock."""

from __future__ import annotations

import pytest

from tests.architecture.imports import dotted_names, imports_of, sources
from tests.architecture.layers import all_modules, impurities, unit_of, wrong_directions
from tests.architecture.pure_files import existing_pure_files

SOURCES = sources()
MODULES = all_modules(SOURCES)

_CLOCKS_AND_DICE = frozenset({"time", "datetime", "random"})
_SEEDED = frozenset({"random.Random", "random.SystemRandom"})
_FORBIDDEN_CALLS = frozenset(
    {
        "datetime.now",
        "datetime.utcnow",
        "datetime.datetime.now",
        "datetime.datetime.utcnow",
        "random.random",
        "random.uniform",
        "random.choice",
        "random.randint",
        "time.monotonic",
        "time.perf_counter",
        "time.sleep",
        "time.time",
    }
)


_MAY_READ_A_CLOCK = {
    "observe/watchdog.py",  # it measures a loop that stands still, in which trio's clock may be a mock one
    "observe/export/jsonlines.py",  # reads none: it writes the time that a record has
    "core/kernel.py",  # the half of trio's own clock that differences need
}


def clock_readings(path: str, source: str) -> list[str]:
    """One line for each way in which the file reads a clock or dice of the process."""
    imported = [
        f"{path}:{found.line}: imports {found.full}"
        for found in imports_of(path, source)
        if found.module in _CLOCKS_AND_DICE and found.full not in _SEEDED
    ]
    named = [f"{path}:{line}: {name}" for name, line in dotted_names(source) if name in _FORBIDDEN_CALLS]
    return imported + named


@pytest.mark.parametrize("path", SOURCES)
def test_imports_run_one_way(path: str) -> None:
    """A file imports its own folder and lower layers, never up or sideways."""
    assert wrong_directions(path, SOURCES[path], MODULES) == []


@pytest.mark.parametrize("path", existing_pure_files())
def test_pure_files_import_only_data(path: str) -> None:
    """A pure file imports the data parts of the standard library, attrs and other pure files."""
    assert impurities(path, SOURCES[path], MODULES) == []


@pytest.mark.row(118)
@pytest.mark.parametrize("path", [path for path in SOURCES if not path.startswith("cli/")])
def test_nothing_reads_the_wall_clock(path: str) -> None:
    """Time comes from trio's clock and chance from a seeded `Random`, never from the process."""
    assert [line for line in clock_readings(path, SOURCES[path]) if path not in _MAY_READ_A_CLOCK] == []


def test_every_vocabulary_file_is_there() -> None:
    """The list of pure files names real files."""
    assert {"errors.py", "policy.py", "core/lifecycle.py", "supervision/restart.py"} <= set(
        existing_pure_files()
    )


@pytest.mark.parametrize(
    ("path", "source", "wrong"),
    [
        ("core/ref.py", "from actors.supervision.restart import Budget\n", "supervision"),
        ("core/ref.py", "import actors\n", "door"),
        ("core/ref.py", "from actors import Actor\n", "door"),
        ("core/ref.py", "from ..supervision import restart\n", "supervision"),
        ("errors.py", "def late():\n    from actors.core.ref import Ref\n", "core"),
        ("jobs/plan.py", "from actors.people import desk\n", "people"),
        ("cli/__init__.py", "from actors.testing import probe\n", "testing"),
        ("system.py", "from actors.cli import main\n", "cli"),
    ],
)
def test_the_checker_finds_an_import_against_the_order(path: str, source: str, wrong: str) -> None:
    """An import that goes up or sideways is found, also a late or a relative one."""
    [line] = wrong_directions(path, source, MODULES)
    assert f"({wrong})" in line


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("core/ref.py", "from actors.errors import ActorError\nfrom actors.core import orders\n"),
        ("core/kernel.py", "if TYPE_CHECKING:\n    from actors.system import System\n"),
        ("core/kernel.py", "if typing.TYPE_CHECKING:\n    from actors.system import System\n"),
        ("supervision/supervisor.py", "import trio\nfrom actors.core.ref import Ref\n"),
        ("cli/__init__.py", "import actors\n"),
        ("__init__.py", "from actors.testing import probe\n"),
        ("__main__.py", "from actors.cli import main\n"),
    ],
)
def test_the_checker_accepts_an_import_in_order(path: str, source: str) -> None:
    """Imports that go down are accepted, and so are those for type checkers alone."""
    assert wrong_directions(path, source, MODULES) == []


def test_the_checker_sees_the_other_branch_of_type_checking() -> None:
    """What stands under `else:` of `if TYPE_CHECKING:` runs, and counts."""
    source = "if TYPE_CHECKING:\n    pass\nelse:\n    from actors.system import System\n"
    assert wrong_directions("core/kernel.py", source, MODULES) != []


def test_a_folder_without_a_layer_is_an_error() -> None:
    """A new folder must be given its place in the order."""
    with pytest.raises(LookupError, match="'attic' its place in LAYERS"):
        unit_of("actors.attic.box")


@pytest.mark.parametrize(
    "source",
    [
        "import trio\n",
        "from trio import TooSlowError, sleep\n",
        "import time\n",
        "import os.path\n",
        "from random import Random\n",
        "from actors.core.ref import Ref\n",
        "import collections.abc, sqlite3\n",
    ],
)
def test_the_checker_finds_an_impure_import(source: str) -> None:
    """A pure file that imports a clock, a loop or a shell is found."""
    assert len(impurities("errors.py", source, MODULES)) == 1


def test_only_errors_may_take_a_name_from_trio() -> None:
    """The exemption is for one name in one file."""
    source = "from trio import TooSlowError\n"
    assert impurities("errors.py", source, MODULES) == []
    assert impurities("events.py", source, MODULES) != []


@pytest.mark.parametrize(
    "source",
    [
        "import time\n",
        "from time import monotonic\n",
        "import random\n",
        "x = datetime.now()\n",
        "x = datetime.datetime.now(tz)\n",
        "f = time.time\n",
    ],
)
def test_the_checker_finds_a_wall_clock(source: str) -> None:
    """Clocks and dice of the process are found, whether imported or named."""
    assert clock_readings("core/cell.py", source) != []


def test_a_seeded_random_is_accepted() -> None:
    """A `Random` of one's own can be seeded, so it is deterministic."""
    assert clock_readings("core/kernel.py", "from random import Random\n") == []
