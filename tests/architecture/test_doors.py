"""The doors: `__all__` is what is public, and every public name has one home."""

from __future__ import annotations
import __future__

import ast
import functools
import inspect
from types import ModuleType

import pytest

import actors
from tests.architecture.imports import imports_of, sources

SOURCES = sources()
PACKAGES = [path for path in SOURCES if path.endswith("__init__.py")]


@functools.cache
def declared(source: str) -> list[str] | None:
    """The names in a file's `__all__`, or None when it has none."""
    for node in ast.parse(source).body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Name) and target.id == "__all__":
            return list(ast.literal_eval(node.value))  # type: ignore[attr-defined]
    return None


@functools.cache
def definitions(source: str) -> dict[str, str | None]:
    """The public names a file defines at its top level, each with its docstring."""
    found: dict[str, str | None] = {}
    body = ast.parse(source).body
    for node, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found[node.name] = found.get(node.name) or ast.get_docstring(node)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Name):
                    found[target.id] = _string(after)
    return {name: doc for name, doc in found.items() if not name.startswith("_")}


def _string(node: ast.stmt | None) -> str | None:
    value = node.value if isinstance(node, ast.Expr) else None
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else None


def homes(name: str) -> dict[str, str | None]:
    """The files that define `name`, each with its docstring there; re-exports do not count."""
    return {
        path: definitions(source)[name]
        for path, source in SOURCES.items()
        if name in definitions(source) and name in (declared(source) or [])
    }


def public_names(module: ModuleType) -> set[str]:
    """What `dir` shows of a module, without submodules and `from __future__` features."""
    return {
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and not inspect.ismodule(value)
        and not isinstance(value, __future__._Feature)
    }


def test_the_front_door_shows_exactly_what_is_public() -> None:
    """`actors.__all__` is what a user finds in `actors`."""
    assert public_names(actors) == {name for name in actors.__all__ if not name.startswith("_")}


def test_no_foreign_module_shows_through_the_front_door() -> None:
    """Only the package's own submodules are attributes of it."""
    modules = {name: value for name, value in vars(actors).items() if inspect.ismodule(value)}
    leaked = {name for name, value in modules.items() if value.__name__ != f"actors.{name}"}
    assert leaked == set()


def test_the_front_door_is_sorted_and_has_no_name_twice() -> None:
    """`actors.__all__` reads like an index."""
    assert len(set(actors.__all__)) == len(actors.__all__)


@pytest.mark.parametrize("path", PACKAGES)
def test_every_package_declares_its_door(path: str) -> None:
    """Every `__init__.py` has an `__all__`."""
    assert declared(SOURCES[path]) is not None


@pytest.mark.parametrize("path", PACKAGES)
def test_a_door_declares_what_it_binds(path: str) -> None:
    """Every name in a package's `__all__` is imported or defined there."""
    source = SOURCES[path]
    bound = {found.name for found in imports_of(path, source) if found.name and found.module != "__future__"}
    bound |= set(definitions(source))
    public = {name for name in bound if not name.startswith("_")}
    missing = {name for name in declared(source) or [] if not name.startswith("_")} - public
    assert missing == set()


@pytest.mark.parametrize("name", sorted(set(actors.__all__) - {"__version__"}))
def test_every_public_name_has_one_home(name: str) -> None:
    """One module defines it, and that is where it says it comes from."""
    found = homes(name)
    assert len(found) == 1, found
    value = getattr(actors, name)
    if inspect.isclass(value) or inspect.isfunction(value):
        [path] = found
        home = "actors." + path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        assert value.__module__ in {home, "actors"}


@pytest.mark.parametrize("name", sorted(set(actors.__all__) - {"__version__"}))
def test_every_public_name_has_a_docstring(name: str) -> None:
    """Each says what it promises, in its own words."""
    assert all(homes(name).values()), f"{name} has no docstring in {', '.join(homes(name))}"


def test_the_checker_finds_a_hidden_definition() -> None:
    """Definitions are found with their docstrings, and private ones are not."""
    source = '__all__ = ["A", "B"]\nclass A:\n    """Is a."""\nB = 1\n"""Is b."""\nC = 2\n_d = 3\n'
    assert declared(source) == ["A", "B"]
    assert definitions(source) == {"A": "Is a.", "B": "Is b.", "C": None}


def test_the_checker_finds_a_package_without_a_door() -> None:
    """A package without `__all__` is told from one with an empty `__all__`."""
    assert declared("from actors.core.ref import Ref\n") is None
    assert declared("__all__: list[str] = []\n") == []
