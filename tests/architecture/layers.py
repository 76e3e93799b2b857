"""The direction of imports: which unit stands above which, and what breaks the order.

A unit is a folder of the package, or the group of top-level files that share a
layer. A file may import its own unit and every unit of a lower layer. Units of one
layer do not know each other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from tests.architecture.imports import Import, imports_of, module_name
from tests.architecture.pure_files import ALLOWED_MODULES, EXEMPT_NAMES, PURE_FILES

LAYERS: tuple[frozenset[str], ...] = (
    frozenset({"vocabulary"}),
    frozenset({"core"}),
    frozenset({"timeouts"}),
    frozenset({"supervision"}),
    frozenset({"monitor", "jobs", "spawning", "delivery", "people"}),
    frozenset({"process"}),
    frozenset({"remote"}),
    frozenset({"http"}),
    frozenset({"observe"}),
    frozenset({"mcp"}),
    frozenset({"system"}),
    frozenset({"door"}),
    frozenset({"testing", "cli"}),
    frozenset({"entry"}),
)

_VOCABULARY = frozenset(
    {
        "budgets",
        "errors",
        "names",
        "messages",
        "exits",
        "events",
        "histogram",
        "policy",
        "posting",
        "asking",
        "outcome",
        "checks",
        "limits",
        "tree",
    }
)
_TOP = {
    "": "door",
    "__init__": "door",
    "__main__": "entry",
    "block": "system",
    "budgeting": "system",
    "census": "system",
    "coding": "system",
    "features": "system",
    "keeping": "system",
    "neighbours": "system",
    "root": "system",
    "system": "system",
    "worker": "entry",
}
_IMPORTS_ALL = frozenset({"door", "entry"})
_RANK = {unit: rank for rank, layer in enumerate(LAYERS) for unit in layer}


def unit_of(module: str) -> str:
    """The unit of a module of the package; raises LookupError for one without a layer."""
    first, _, rest = module.removeprefix("actors").removeprefix(".").partition(".")
    if first in _VOCABULARY and not rest:
        return "vocabulary"
    unit = _TOP.get(first, first)
    if unit not in _RANK:
        raise LookupError(f"{module} has no layer: give {first!r} its place in LAYERS")
    return unit


def _target(found: Import, modules: Collection[str]) -> str | None:
    """The module of the package that is imported, or None for one of somebody else."""
    if found.module.split(".")[0] != "actors":
        return None
    return found.full if found.full in modules else found.module


def _targets(path: str, source: str, modules: Collection[str]) -> Iterator[tuple[Import, str]]:
    for found in imports_of(path, source):
        target = _target(found, modules)
        if target is not None:
            yield found, target


def wrong_directions(path: str, source: str, modules: Collection[str]) -> list[str]:
    """One line for each import that goes up or sideways."""
    unit = unit_of(module_name(path))
    if unit in _IMPORTS_ALL:
        return []
    return [
        f"{path}:{found.line}: {unit} must not import {target} ({unit_of(target)})"
        for found, target in _targets(path, source, modules)
        if unit_of(target) != unit and _RANK[unit_of(target)] >= _RANK[unit]
    ]


def impurities(path: str, source: str, modules: Collection[str]) -> list[str]:
    """One line for each import that a pure file may not have."""
    return [
        f"{path}:{found.line}: a pure file must not import {found.full}"
        for found in imports_of(path, source)
        if not _is_pure(path, found, modules)
    ]


def _is_pure(path: str, found: Import, modules: Collection[str]) -> bool:
    if found.full in EXEMPT_NAMES.get(path, frozenset()):
        return True
    target = _target(found, modules)
    if target is None:
        return found.module in ALLOWED_MODULES
    return target in {module_name(pure) for pure in PURE_FILES}


def all_modules(paths: Iterable[str]) -> frozenset[str]:
    """The modules of the package, by their paths."""
    return frozenset(module_name(path) for path in paths)
