"""Files are read, composed and checked as a whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.cli.load import BadFile, load
from actors.cli.team import Crew
from tests.cli.cast import faults, faults_in, team_of, written

ONE = '[[agents]]\nname = "{}"\ncommand = ["true"]\n'


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """The message names it."""
    [line] = faults(tmp_path / "no.toml")
    assert line == f"cannot read {tmp_path / 'no.toml'}: No such file or directory @ $"


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """Neither is what else cannot be read."""
    [line] = faults(tmp_path)
    assert "Is a directory" in line


def test_a_mistake_of_toml_has_its_line(tmp_path: Path) -> None:
    """As the parser tells it."""
    [line] = faults_in(tmp_path, ONE.format("a") + "[[agents]\n")
    assert "it is not TOML" in line
    assert "line 4" in line


def test_text_that_is_not_utf8(tmp_path: Path) -> None:
    """TOML is UTF-8."""
    path = tmp_path / "team.toml"
    path.write_bytes(b'name = "\xff"')
    [line] = faults(path)
    assert "it is not UTF-8 text" in line


def test_a_second_agent_of_one_name(tmp_path: Path) -> None:
    """Both places are named."""
    [line] = faults_in(tmp_path, ONE.format("a") + ONE.format("b") + ONE.format("a"))
    assert line == 'the name "a" is taken by $.agents[0].name: choose another @ $.agents[2].name'


def test_an_agent_and_a_supervisor_of_one_name(tmp_path: Path) -> None:
    """Siblings are siblings."""
    crew = '[[supervisors]]\nname = "a"\nagents = [{ name = "a", command = ["true"] }]'
    [line] = faults_in(tmp_path, ONE.format("a") + crew)
    assert line.endswith("@ $.supervisors[0].name")


def test_one_name_on_two_levels_is_fine(tmp_path: Path) -> None:
    """Names are unique among siblings alone."""
    crew = '[[supervisors]]\nname = "b"\nagents = [{ name = "a", command = ["true"] }]'
    assert faults_in(tmp_path, ONE.format("a") + crew) == []


@pytest.mark.parametrize("name", ["system", "jobs"])
def test_the_names_of_the_framework(tmp_path: Path, name: str) -> None:
    """They are taken below the root, and free elsewhere."""
    [line] = faults_in(tmp_path, ONE.format(name))
    assert "is the framework's own" in line
    crew = f'[[supervisors]]\nname = "b"\nagents = [{{ name = "{name}", command = ["true"] }}]'
    assert faults_in(tmp_path, crew) == []


def test_the_system_is_named_after_its_file(tmp_path: Path) -> None:
    """Unless it says otherwise, or the file's name cannot be one."""
    assert load(written(tmp_path, ONE.format("a"), "crew.toml")).name == "crew"
    assert load(written(tmp_path, ONE.format("a"), "my crew.toml")).name == "actors"
    assert team_of(tmp_path, '[system]\nname = "x"\n' + ONE.format("a")).name == "x"


# --- include ---------------------------------------------------------------------


def test_an_included_file_brings_its_agents_and_supervisors(tmp_path: Path) -> None:
    """They come after those of the file itself, at the place of the include."""
    inner = ONE.format("c") + '[[supervisors]]\nname = "d"\nagents = [{ name = "e", command = ["true"] }]'
    written(tmp_path, inner, "parts/inner.toml")
    outer = (
        'include = ["parts/inner.toml"]\n'
        + ONE.format("a")
        + '[[supervisors]]\nname = "b"\ninclude = ["parts/inner.toml"]'
    )
    team = team_of(tmp_path, outer)
    assert [agent.path for agent in team.agents] == ["/a", "/b/c", "/b/d/e", "/c", "/d/e"]
    assert team.crews == {"/b", "/b/d", "/d"}


def test_the_system_of_an_included_file_does_not_count(tmp_path: Path) -> None:
    """So a team can be run alone, and be a part of another."""
    written(tmp_path, '[system]\nname = "inner"\npolicy = "test"\n' + ONE.format("a"), "inner.toml")
    team = team_of(tmp_path, 'include = ["inner.toml"]\n[system]\nname = "outer"\n')
    assert (team.name, team.policy.breaker is None) == ("outer", False)


def test_a_name_that_an_included_file_brings_again(tmp_path: Path) -> None:
    """The message says where the first one is."""
    written(tmp_path, ONE.format("a"), "inner.toml")
    path = written(tmp_path, 'include = ["inner.toml"]\n' + ONE.format("a"))
    with pytest.raises(BadFile) as caught:
        load(path)
    [fault] = caught.value.faults
    assert fault.file == str(tmp_path / "inner.toml")
    assert f"is taken by $.agents[0].name of {path}" in fault.message


def test_a_file_that_includes_itself(tmp_path: Path) -> None:
    """The message names the chain."""
    path = written(tmp_path, 'include = ["team.toml"]\n')
    [line] = faults(path)
    assert line == f"files include each other in a circle: {path} → {path} @ $.include[0]"


def test_files_that_include_each_other(tmp_path: Path) -> None:
    """However long the way round, and through supervisors."""
    written(tmp_path, '[[supervisors]]\nname = "b"\ninclude = ["./team.toml"]', "b.toml")
    [line] = faults_in(tmp_path, 'include = ["b.toml"]\n')
    names = [Path(name).name for name in line.partition(": ")[2].partition(" @ ")[0].split(" → ")]
    assert names == ["team.toml", "b.toml", "team.toml"]
    assert line.endswith("@ $.supervisors[0].include[0]")


def test_one_file_in_two_places_is_no_circle(tmp_path: Path) -> None:
    """A part can be used twice."""
    written(tmp_path, ONE.format("a"), "part.toml")
    crews = "".join(f'[[supervisors]]\nname = "{name}"\ninclude = ["part.toml"]\n' for name in "xy")
    assert [agent.path for agent in team_of(tmp_path, crews).agents] == ["/x/a", "/y/a"]


def test_an_included_file_that_is_not_there(tmp_path: Path) -> None:
    """The mistake is in the file that names it."""
    [line] = faults_in(tmp_path, 'include = ["no.toml"]\n')
    assert line.startswith("cannot read ")
    assert line.endswith("@ $.include[0]")


def test_the_mistakes_of_all_files_come_at_once(tmp_path: Path) -> None:
    """Each with its file."""
    written(tmp_path, "x = 1\n" + ONE.format("a"), "b.toml")
    written(tmp_path, "[[", "c.toml")
    path = written(tmp_path, 'include = ["b.toml", "c.toml", "d.toml"]\n')
    with pytest.raises(BadFile) as caught:
        load(path)
    assert [Path(fault.file).name for fault in caught.value.faults] == ["b.toml", "c.toml", "team.toml"]


def test_children_stand_in_start_order(tmp_path: Path) -> None:
    """Agents, then supervisors, each as written."""
    text = '[[supervisors]]\nname = "s"\nagents = [{ name = "t", command = ["true"] }]\n' + ONE.format("a")
    first, second = team_of(tmp_path, text).children
    assert isinstance(second, Crew)
    assert first.spec.name == "a"
