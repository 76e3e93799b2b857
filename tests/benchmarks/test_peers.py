"""The peers: light to import, right about what they have, and, where one is installed, at work."""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from benchmarks import cases, peers
from benchmarks.peers import common, erlang

HOME = Path(__file__).parents[2]
WORK = HOME / "benchmarks" / "peers" / "work"
FEW = 10  # a power of ten: skynet's trees are full
FOREIGN = (
    "pykka",
    "triotp",
    "xoscar",
    "everything_is_an_actor",
    "actor_for_agents",
    "autogen_core",
    "thespian",
    "tractor",
    "actors",
)
LOAD = "import json, sys; from benchmarks import peers; [peers.load(name) for name in peers.PEERS]; "

SIDES = [
    pytest.param(peer, case, id=f"{peer}-{case}") for peer in peers.PEERS for case in peers.load(peer).SIDES
]


def python(*arguments: str) -> str:
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=HOME, capture_output=True, text=True, check=True, timeout=50).stdout


def test_all_are_imported_without_any_being_imported() -> None:
    loaded = json.loads(python("-c", LOAD + "print(json.dumps(sorted(sys.modules)))"))
    assert not set(FOREIGN) & set(loaded)


def test_an_unknown_one_is_named() -> None:
    with pytest.raises(LookupError, match="no peer 'celery': there are pykka,"):
        peers.load("celery")


def test_names_are_unique() -> None:
    names = [peers.load(peer).NAME for peer in peers.PEERS]
    assert len(set(names)) == len(names)


def test_the_cases_are_known() -> None:
    known = {case.name for case in cases.every()}
    unknown = {(peer, case) for peer in peers.PEERS for case in peers.load(peer).SIDES if case not in known}
    assert unknown == set()


@pytest.mark.parametrize("peer", peers.PEERS)
def test_a_version_is_none_where_the_peer_is_not(peer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    erlang.version.cache_clear()
    try:
        assert peers.load(peer).version() is None
    finally:
        erlang.version.cache_clear()


def test_a_checkout_on_the_path_has_an_unknown_version() -> None:
    assert common.version_of("no-such-distribution", "no_such_module", "json") == "unknown"
    assert common.version_of("no-such-distribution", "no_such_module") is None


@pytest.mark.parametrize(("peer", "case"), SIDES)
def test_the_work_of_a_side_is_there(peer: str, case: str) -> None:
    work = peers.load(peer).SIDES[case].work
    assert isinstance(work, partial)
    if peer == "erlang":
        assert f'run("{case}", Count)' in erlang.SOURCE.read_text()
        return
    there, function, given = work.args
    found = {node.name: node for node in _functions(ast.parse((WORK / f"{there}.py").read_text()))}
    assert (there, len(given) + 1) == (peer, len(found[function].args.args) - _lent(found[function]))


def _functions(module: ast.Module) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for node in module.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def _lent(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """What the decorator that starts the system passes."""
    names = [one.id for one in function.decorator_list if isinstance(one, ast.Name)]
    return int("_running" in names)


@pytest.mark.parametrize(("count", "parts", "wanted"), [(7, 3, [3, 2, 2]), (2, 3, [1, 1]), (6, 3, [2, 2, 2])])
def test_shares_are_even_and_none_is_empty(count: int, parts: int, wanted: list[int]) -> None:
    assert common.shares(count, parts) == wanted


@pytest.mark.parametrize(("peer", "case"), SIDES)
def test_an_installed_one_does_its_work(peer: str, case: str) -> None:
    module = peers.load(peer)
    if module.version() is None:
        pytest.skip(f"{module.NAME} is not installed here")
    most = module.SIDES[case].most or FEW
    arguments = [case, module.NAME, str(min(FEW, most)), "--module", module.__name__]
    said = json.loads(python("-m", "benchmarks.harness.worker", *arguments).splitlines()[-1])
    assert 0 < said["value"] < 60


@pytest.mark.parametrize("count", [0, 2, 99, 1001])
def test_erlang_has_a_full_tree_or_none(count: int) -> None:
    work: Callable[[int], object] = erlang.SIDES["skynet"].work
    with pytest.raises(ValueError, match="power of ten"):
        work(count)


@pytest.mark.skipif(erlang.version() is None, reason="Erlang is not installed here")
def test_erlang_says_what_went_wrong() -> None:
    with pytest.raises(RuntimeError, match="function_clause"):
        erlang.work("no-such-case", 1)
