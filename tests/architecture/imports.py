"""Reads which modules a source file imports, without running it."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

import attrs

from tests.architecture.pure_files import PACKAGE


@attrs.frozen
class Import:
    """One imported name: `module` is absolute, `name` is None for a plain `import module`."""

    module: str
    name: str | None
    line: int

    @property
    def full(self) -> str:
        """The module, with the name that is taken from it."""
        return self.module if self.name is None else f"{self.module}.{self.name}"


def module_name(path: str) -> str:
    """`core/ref.py` → `actors.core.ref`; a package's `__init__.py` is the package."""
    parts = ["actors", *path.removesuffix(".py").split("/")]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def sources() -> dict[str, str]:
    """Every source file of the package by its path relative to it."""
    return {
        file.relative_to(PACKAGE).as_posix(): file.read_text(encoding="utf-8")
        for file in sorted(PACKAGE.rglob("*.py"))
    }


@functools.cache
def imports_of(path: str, source: str) -> list[Import]:
    """What the file imports at run time: imports under `if TYPE_CHECKING:` are left out."""
    package = module_name(path) if Path(path).name == "__init__.py" else module_name(path).rpartition(".")[0]
    return [found for node in _running(ast.parse(source)) for found in _imports(node, package)]


def _running(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    skipped = node.body if isinstance(node, ast.If) and _is_type_checking(node.test) else []
    for child in ast.iter_child_nodes(node):
        if child not in skipped:
            yield from _running(child)


def _is_type_checking(test: ast.expr) -> bool:
    return ast.unparse(test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def _imports(node: ast.AST, package: str) -> Iterator[Import]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield Import(alias.name, None, node.lineno)
    elif isinstance(node, ast.ImportFrom):
        module = _absolute(node, package)
        for alias in node.names:
            yield Import(module, alias.name, node.lineno)


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if node.level == 0:
        assert node.module is not None
        return node.module
    parts = package.split(".")
    base = parts[: len(parts) - (node.level - 1)]
    return ".".join([*base, node.module] if node.module else base)


def dotted_names(source: str) -> Iterator[tuple[str, int]]:
    """Every dotted name in the file (`time.monotonic`) with its line."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            text = ast.unparse(node)
            if text.replace(".", "").replace("_", "").isalnum():
                yield text, node.lineno
