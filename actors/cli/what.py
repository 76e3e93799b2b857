"""What an agent of a file runs, and the checks that need this machine: programs, folders, classes."""

from __future__ import annotations

import functools
import importlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from actors.cli.kinds import WhatSpec, said
from actors.cli.strict import Fault
from actors.cli.team import Agent, Place, Team, walk
from actors.core.recipe import recipe_of
from actors.process import Command, Lines, Terminal

__all__ = [
    "OnLine",
    "OnOutput",
    "Surroundings",
    "agent_faults",
    "import_fault",
    "imported",
    "look_beside",
    "machine_faults",
    "program_faults",
    "program_of",
    "what_of",
]

OnOutput = Callable[[str, bytes], object]
"""Called with "stdout" or "stderr", and a line."""
OnLine = Callable[[str, str, bytes], object]
"""As `OnOutput`, with the path of the process before."""


@attrs.frozen
class Surroundings:
    """What a file takes for granted: the variables, the Python, and who hears what processes write."""

    environ: Mapping[str, str]
    python: str
    on_line: OnLine | None = None


def look_beside(file: Path) -> None:
    """What a file names is looked for beside the file, as Python does with scripts."""
    sys.path.insert(0, str(file.parent.absolute()))


def what_of(agent: Agent, surroundings: Surroundings, on_output: OnOutput | None = None) -> Any:
    """What to spawn. Imports modules, and raises what that raises."""
    spec = agent.spec
    if spec.class_ is None:
        return program_of(spec, agent.place, surroundings, on_output)
    what, args, config = imported(spec.class_), spec.args, spec.config
    return functools.partial(what, *args, **config) if args or config else what


def imported(reference: str) -> Any:
    """What `module:qualname` names. Raises ImportError, AttributeError, and what the module raises."""
    module, _, name = reference.partition(":")
    return functools.reduce(getattr, name.split("."), importlib.import_module(module))


def program_of(
    spec: WhatSpec, place: Place, surroundings: Surroundings, on_output: OnOutput | None = None
) -> Command | Lines | Terminal:
    """The program that is written at a place. Raises ValueError, and TypeError, for what fits no machine."""
    argv = [_word(word, place, surroundings) for word in spec.words]
    given: dict[str, Any] = said(spec) | {
        "cwd": _cwd(spec, place),
        "env": _environ(spec, place, surroundings),
    }
    if spec.kind == "lines":
        return Lines(argv, **given)
    if spec.kind == "terminal":
        return Terminal(argv, folder=_beside(place, spec.folder), **given)
    given["ready"] = spec.ready or None  # what runs is ready
    return Command(argv, **given, on_output=on_output)


def _word(word: str, place: Place, surroundings: Surroundings) -> str:
    """`{python}` is our Python; `{here}` at the beginning is the folder of the file."""
    if word == "{python}":
        return surroundings.python
    return str(_here(place)) + word.removeprefix("{here}") if word.startswith("{here}") else word


def _here(place: Place) -> Path:
    return place.file.parent.absolute()


def _beside(place: Place, folder: str | None) -> Path | None:
    return None if folder is None else _here(place) / folder


def _cwd(spec: WhatSpec, place: Place) -> Path | None:
    """The folder that it starts in; None: that of this program."""
    return _beside(place, spec.cwd)


def _environ(spec: WhatSpec, place: Place, surroundings: Surroundings) -> dict[str, str]:
    """Its variables: those of this program, and its own."""
    own = {name: _word(value, place, surroundings) for name, value in spec.env.items()}
    return {**surroundings.environ, **own}


# --- checks that need this machine ----------------------------------------------


def machine_faults(team: Team, surroundings: Surroundings, *, secrets: bool = False) -> Iterator[Fault]:
    """Programs and folders that are not there, classes that are none, and contradictions of policies.

    With `secrets` also tokens that are not where the file says: only who serves over HTTP needs them.
    """
    for child in walk(team.children):
        if child.spec.significant and (child.spec.policy or team.policy).restart == "permanent":
            yield child.place.at("significant").fault(
                'a permanent child never ends by itself and cannot be significant: set restart = "transient"'
            )
        if isinstance(child, Agent):
            yield from agent_faults(child, surroundings)
    if team.mcp is not None:
        from actors.cli.mcp.gate import mcp_faults  # an extra, and slow to load

        yield from mcp_faults(team.mcp, team.place.at("mcp"), surroundings)
        if secrets:
            from actors.cli.mcp.tokens import secret_faults

            yield from secret_faults(team.mcp, team.place.at("mcp"), surroundings)


def agent_faults(agent: Agent, surroundings: Surroundings) -> Iterator[Fault]:
    """What this machine lacks for one agent."""
    if agent.spec.class_ is None:
        yield from program_faults(agent.spec, agent.place, surroundings)
    else:
        yield from _class_faults(agent, surroundings)


def program_faults(spec: WhatSpec, place: Place, surroundings: Surroundings) -> Iterator[Fault]:
    """What this machine lacks for a program."""
    cwd = _cwd(spec, place)
    if cwd is not None and not cwd.is_dir():
        yield place.at("cwd").fault(f"there is no folder {cwd}: make it, or name another")
        return
    program = _word(spec.words[0], place, surroundings)
    # a path counts from the folder that the process starts in
    found = os.path.join(cwd or "", program) if os.path.dirname(program) else program
    if shutil.which(found, path=_environ(spec, place, surroundings).get("PATH", os.defpath)) is None:
        yield place.at(spec.kind).fault(
            f'there is no program "{program}": install it, name its full path, or put its folder on PATH'
        )
        return
    try:
        what = program_of(spec, place, surroundings)
    except (TypeError, ValueError) as error:
        yield place.at(spec.kind).fault(str(error))
        return
    if isinstance(what, Terminal) and shutil.which(what.tmux, path=surroundings.environ.get("PATH")) is None:
        yield place.at("terminal").fault(
            f'there is no "{what.tmux}", and a terminal is a pane of it: install tmux, as in '
            f'`apt-get install tmux`, or name it, as in tmux = "/opt/bin/tmux"'
        )


def _class_faults(agent: Agent, surroundings: Surroundings) -> Iterator[Fault]:
    here, reference = agent.place.at("class"), agent.spec.class_ or ""
    fault = import_fault(here, reference)
    if fault is not None:
        yield fault
        return
    try:
        recipe_of(imported(reference))
    except TypeError as error:
        yield here.fault(f'"{reference}" cannot be an agent: {error}')
        return
    try:
        recipe_of(what_of(agent, surroundings)).check_arguments(())
    except TypeError as error:
        key = "config" if agent.spec.config else "args" if agent.spec.args else "class"
        yield agent.place.at(key).fault(str(error))


def import_fault(here: Place, reference: str) -> Fault | None:
    """Why a class cannot be imported; None when it can."""
    module, _, name = reference.partition(":")
    try:
        importlib.import_module(module)
    except (Exception, SystemExit) as error:  # the module is foreign code: anything may come out of it
        said = f"{type(error).__name__}: {error}"
        return here.fault(
            f'cannot import "{module}": {said}. Modules are looked for beside the file that is run, '
            f"and where Python finds them"
        )
    try:
        imported(reference)
    except AttributeError:
        return here.fault(f'the module "{module}" has no "{name}": write "package.module:Class"')
    return None
