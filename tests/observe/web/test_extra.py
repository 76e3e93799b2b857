"""The observatory is an extra: nobody pays for it who does not use it."""

from __future__ import annotations

import inspect
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext

import actors.observe.web

_ALONE = """
import sys
import actors
assert not {"hypercorn", "prometheus_client", "starlette"} & set(sys.modules)
"""
_WITHOUT = """
import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: None if name == MISSING else found(name, *more)
try:
    import actors.observe.web
except ImportError as error:
    print(error)
"""
STATIC = Path(actors.observe.web.__file__).parent / "static"


def run(program: str) -> str:
    """What a process of its own prints."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_actors_alone_load_no_server() -> None:
    """`import actors` does not know of it."""
    assert run(_ALONE) == ""


@pytest.mark.parametrize("missing", ["hypercorn", "prometheus_client", "starlette"])
def test_a_missing_extra_says_what_to_install(missing: str) -> None:
    """At the import, with the command."""
    assert "pip install trio-actors[web]" in run(f"MISSING = {missing!r}\n{_WITHOUT}")


def test_what_is_used_of_hypercorn_is_as_it_was() -> None:
    """It is not public: a version that has changed it is seen here, and not by a page that hangs."""
    cure = f"hypercorn {version('hypercorn')} has changed: try actors/http/serving.py with it anew"
    assert [*inspect.signature(TCPServer).parameters] == ["app", "config", "context", "state", "stream"], cure
    assert hasattr(TCPServer, "__await__"), cure
    assert hasattr(WorkerContext(None).terminated, "set"), cure
    source = inspect.getsource(TCPServer)
    used = {"receive_some", "send_all", "send_eof", "aclose", "socket"}
    missing = {name for name in used if f"self.stream.{name}" not in source}
    assert not missing, cure


@pytest.mark.parametrize("file", sorted(STATIC.glob("*")), ids=lambda file: file.name)
def test_the_page_has_nothing_that_reads_text_as_markup(file: Path) -> None:
    """No inner HTML, no evaluation, no inline script or style, nothing from elsewhere."""
    text = file.read_text()
    for forbidden in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "new Function",
    ):
        assert forbidden not in text
    if file.suffix == ".html":
        assert "<style" not in text
        assert "style=" not in text
        assert "onclick" not in text
        assert text.count("<script") == text.count('<script type="module" src="/static/')
    assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in text
