"""Team templates: what they may say, which names are safe, and the program that runs them."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import actors
from actors.cli.demo.left import still_runs
from actors.cli.load import BadFile
from actors.cli.teams.choose import TeamOptions, choose
from actors.cli.teams.spec import filled
from actors.cli.teams.template import Wanted, load_template
from actors.cli.what import machine_faults
from tests.cli.cast import (
    SURROUNDINGS,
    environment,
    facts_of,
    instance_of,
    program,
    running,
    written,
)

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples" / "teams"
TWO = '[[roles]]\nname = "a"\ncommand = ["true"]\n[[roles]]\nname = "b"\nsize = 2\ncommand = ["true"]\n'
GOOD_ROLE = '[[roles]]\nname = "a"\ncommand = ["true"]\n'


def refused(folder: Path, text: str, name: str | None = None, *sizes: str) -> list[str]:
    """Every mistake of a template with this text."""
    with pytest.raises(BadFile) as caught:
        instance_of(folder, text, name, *sizes)
    return [str(fault) for fault in caught.value.faults]


def options_refused(file: Path | None = None, **options: Any) -> list[str]:
    """What is wrong with the options of a command line."""
    chosen, faults = choose(file, TeamOptions(**options))
    assert chosen is None
    return [str(fault) for fault in faults]


# --- what a template says -----------------------------------------------------------


def test_roles_in_their_sizes_stand_below_one_supervisor(tmp_path: Path) -> None:
    """One has the role's name, several have it with their numbers; the file names the team."""
    assert instance_of(tmp_path, TWO).paths == ("/crew/a", "/crew/b-1", "/crew/b-2")


def test_the_team_is_called_as_the_file_says_and_as_the_command_line_says(tmp_path: Path) -> None:
    """The latter wins, so that one template serves several times."""
    text = f'[team]\nname = "north"\n{TWO}'
    assert instance_of(tmp_path, text).paths[0] == "/north/a"
    assert instance_of(tmp_path, text, "south").paths[0] == "/south/a"


def test_sizes_of_the_command_line_win(tmp_path: Path) -> None:
    """Up and down; one alone has no number."""
    assert instance_of(tmp_path, TWO, None, "a=3", "b=1").paths == (
        "/crew/a-1",
        "/crew/a-2",
        "/crew/a-3",
        "/crew/b",
    )


def test_the_largest_size_is_a_hundred(tmp_path: Path) -> None:
    """That many are right, one more is not."""
    assert len(instance_of(tmp_path, TWO, None, "b=100").paths) == 101


def test_what_a_team_says_of_its_supervisor_counts(tmp_path: Path) -> None:
    """Strategy and shutdown are the supervisor's, the policy is that of all who have none."""
    text = f"""
        [team]
        strategy = "one_for_all"
        max_restarts = 1
        within = 5
        auto_shutdown = "any"
        policy = "patient"
        {GOOD_ROLE}
        policy = "fast_fail"
    """
    instance = instance_of(tmp_path, text)
    strategy, [agent] = instance.crew.spec.whole_strategy, instance.team.agents
    assert (type(strategy), strategy.max_restarts, strategy.within) == (actors.OneForAll, 1, 5)
    assert (instance.crew.spec.auto_shutdown, instance.crew.spec.policy) == ("any", None)
    assert instance.team.policy == actors.Policy.preset("patient")
    assert agent.policy(instance.team.policy) == actors.Policy.preset("fast_fail")


def test_placeholders_of_a_line_of_readiness_stand_for_just_that_text(tmp_path: Path) -> None:
    """A name may have dots, which an expression would take for any character."""
    text = """
        [[roles]]
        name = "a.b"
        size = 2
        command = ["true"]
        ready = "^{name} of {team} on 80{number}, {{name}}.{1,2}$"
    """
    assert [agent.spec.ready for agent in instance_of(tmp_path, text, "t").team.agents] == [
        r"^a\.b\-1 of t on 801, {name}.{1,2}$",
        r"^a\.b\-2 of t on 802, {name}.{1,2}$",
    ]


def test_placeholders_are_filled_for_each_instance(tmp_path: Path) -> None:
    """In words, variables, and the texts of arguments, however deep."""
    text = """
        [[roles]]
        name = "a"
        size = 2
        command = ["{here}/run", "--at={team}/{name}", "{number}"]
        env = { WHO = "{name}" }
        [[roles]]
        name = "b"
        class = "x:Y"
        args = ["{number}", 7]
        config = { deep = [{ who = "{name}" }], rest = true }
    """
    _, second, third = (agent.spec for agent in instance_of(tmp_path, text, "t").team.agents)
    assert (second.command, second.env) == (("{here}/run", "--at=t/a-2", "2"), {"WHO": "a-2"})
    assert (third.args, third.config) == (("1", 7), {"deep": [{"who": "b"}], "rest": True})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{name}{number}{team}", "a1t"),
        ("{{name}} {{number}}", "{name} {number}"),
        ("{python} {here} {Name} {name!r} {} {", "{python} {here} {Name} {name!r} {} {"),
        ('{"name": {"number": 1}}', '{"name": {"number": 1}}'),
    ],
)
def test_other_braces_are_left_alone(text: str, said: str) -> None:
    """Code and JSON have braces of their own."""
    assert filled(text, {"name": "a", "number": "1", "team": "t"}) == said


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "the team has no roles: give it at least one [[roles]] @ $"),
        ("[[agents]]", "unknown key 'agents': the known ones are team, store, posting, roles @ $"),
        (GOOD_ROLE + "[team]\ncolour = 1", "unknown key 'colour': the known ones are"),
        (GOOD_ROLE + '[team]\nname = "../x"', "'../x' is not a valid name"),
        (GOOD_ROLE + '[team]\nname = "system"', 'the name "system" is the framework\'s own below the root'),
        (GOOD_ROLE + '[team]\nstrategy = "best"', 'unknown strategy "best": choose one of one_for_one'),
        (GOOD_ROLE + "[team]\nmax_restarts = -1", "@ $.team.max_restarts"),
        ('[[roles]]\ncommand = ["true"]', "name is missing @ $.roles[0].name"),
        ('[[roles]]\nname = false\ncommand = ["true"]', "expected a string, not false @ $.roles[0].name"),
        ('[[roles]]\nname = "a/b"\ncommand = ["true"]', "'a/b' is not a valid name"),
        ('[[roles]]\nname = ".."\ncommand = ["true"]', "'..' is not a valid name"),
        (
            '[[roles]]\nname = "a"',
            "a role has one of class, command, lines, terminal, this one has none @ $.ro",
        ),
        (GOOD_ROLE + "colour = 1", "unknown key 'colour'"),
        (GOOD_ROLE + "size = 0", "a role may have 1 to 100 instances, not 0 @ $.roles[0].size"),
        (GOOD_ROLE + "size = 101", "a role may have 1 to 100 instances, not 101 @ $.roles[0].size"),
        (GOOD_ROLE + "size = true", "expected a whole number, not true @ $.roles[0].size"),
        (GOOD_ROLE + "size = 1.0", "expected a whole number, not 1.0 @ $.roles[0].size"),
        (GOOD_ROLE * 2, 'the name "a" is taken by $.roles[0].name: choose another @ $.roles[1].name'),
        (
            '[[roles]]\nname = "b-2"\ncommand = ["true"]\n' + TWO,
            'the name "b-2" is taken by $.roles[0].name: choose another @ $.roles[2].name',
        ),
        (f'[[roles]]\nname = "{"a" * 127}"\nsize = 2\ncommand = ["true"]', "@ $.roles[0].name"),
    ],
)
def test_a_template_that_says_something_wrong(tmp_path: Path, text: str, fault: str) -> None:
    """One mistake, at its place, with the cure."""
    [line] = refused(tmp_path, text)
    assert fault in line


def test_all_mistakes_come_out_at_once(tmp_path: Path) -> None:
    """Those of the file, and those of the command line beside it."""
    lines = refused(tmp_path, GOOD_ROLE + "size = 0\n[team]\npolicy = 1", "a/b")
    assert [line.rpartition(" @ ")[2] for line in lines] == ["--name", "$.team.policy", "$.roles[0].size"]
    lines = refused(tmp_path, GOOD_ROLE * 2, None, "x=1", "a=0")
    assert [line.rpartition(" @ ")[2] for line in lines] == ["--size", "--size", "$.roles[1].name"]


def test_a_file_that_is_no_toml_has_its_line(tmp_path: Path) -> None:
    """As the parser tells it."""
    [line] = refused(tmp_path, "[[roles]\n")
    assert "it is not TOML" in line


@pytest.mark.parametrize(
    ("size", "fault"),
    [
        ("a=0", "a may have 1 to 100 instances, not 0"),
        ("a=-1", "a may have 1 to 100 instances, not -1"),
        ("a=101", "a may have 1 to 100 instances, not 101"),
        ("c=1", 'there is no role "c": the known ones are a, b'),
        ("a", "'a' does not say ROLE=N: write a=3"),
        ("a=", "'a=' does not say ROLE=N"),
        ("=2", "'=2' does not say ROLE=N"),
        ("a=two", "'a=two' does not say ROLE=N"),
        ("a=1.5", "does not say ROLE=N"),
        ("a=²", "does not say ROLE=N"),
        ("a=1=2", "does not say ROLE=N"),
        ("a=" + "9" * 5000, ""),
        ("", "'' does not say ROLE=N"),
    ],
)
def test_a_size_that_cannot_be(tmp_path: Path, size: str, fault: str) -> None:
    """Too few, too many, of whom, and what is no size at all."""
    [line] = refused(tmp_path, TWO, None, size)
    assert fault in line
    assert line.endswith(" @ --size")


def test_two_sizes_for_one_role(tmp_path: Path) -> None:
    """Nobody guesses which was meant."""
    [line] = refused(tmp_path, TWO, None, "a=2", "a=2")
    assert line == 'the role "a" has two sizes: give it one @ --size'


@pytest.mark.parametrize("name", ["", "a/b", "..", "-x", "a b", "a\0b", "a" * 129, "é", "system", "jobs"])
def test_a_name_for_the_team_that_cannot_be(tmp_path: Path, name: str) -> None:
    """It is the name of an actor below the root."""
    [line] = refused(tmp_path, TWO, name)
    assert line.endswith(" @ --name")


# --- which file -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["crew", "crew.toml"])
def test_a_team_is_found_with_and_without_its_ending(tmp_path: Path, name: str) -> None:
    """In the folder that is named."""
    written(tmp_path, TWO, "crew.toml")
    chosen, faults = choose(None, TeamOptions(team=name, teams=tmp_path))
    assert faults == ()
    assert chosen is not None
    assert (chosen.file, chosen.team.name) == (tmp_path / "crew.toml", "crew")


def test_without_a_folder_it_is_the_current_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the command line is read there."""
    written(tmp_path, TWO, "crew.toml")
    monkeypatch.chdir(tmp_path)
    chosen, _ = choose(None, TeamOptions(team="crew"))
    assert chosen is not None


@pytest.mark.row(81)
@pytest.mark.parametrize(
    "name",
    [
        "../crew",
        "..",
        "../crew.toml",
        "sub/../../crew",
        "sub/crew",
        "./crew",
        "/etc/passwd",
        "{tmp}/crew",
        "..\\crew",
        "sub\\crew",
        "C:crew",
        "~/crew",
        "~",
        "crew\0",
        "crew\0.toml",
        "crew\n",
        "",
        ".",
        ".crew",
        ".toml",
        "-crew",
        "cr ew",
        "crèw",
        "%2e%2e%2fcrew",
        "a" * 129,
    ],
)
def test_a_name_that_could_lead_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    """On one line with the cure, although the file is there; nothing is read."""
    written(tmp_path, TWO, "crew.toml")
    written(tmp_path, TWO, "in/sub/crew.toml")
    [line] = options_refused(team=name.replace("{tmp}", str(tmp_path)), teams=tmp_path / "in")
    assert "is not the name of a team: write" in line
    assert "--teams" in line
    assert line.isprintable()
    assert line.endswith(" @ --team")


@pytest.mark.row(81)
@pytest.mark.parametrize("target", ["../crew.toml", "{tmp}/crew.toml", "../nowhere.toml", "up/crew.toml"])
def test_a_link_to_a_file_elsewhere_is_refused(tmp_path: Path, target: str) -> None:
    """Relative or absolute, there or not, or over a folder that is a link."""
    written(tmp_path, TWO, "crew.toml")
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "up").symlink_to(tmp_path)
    (folder / "crew.toml").symlink_to(target.replace("{tmp}", str(tmp_path)))
    [line] = options_refused(team="crew", teams=folder)
    path = folder / "crew.toml"
    assert line == f"{path} is a link that leads out of its folder: put the file itself there @ --team"


def test_links_in_a_circle_lead_nowhere(tmp_path: Path) -> None:
    """They are refused, and so is a link to a file that is gone."""
    (tmp_path / "a.toml").symlink_to("b.toml")
    (tmp_path / "b.toml").symlink_to("a.toml")
    (tmp_path / "c.toml").symlink_to("gone.toml")
    for name in ("a", "c"):
        [line] = options_refused(team=name, teams=tmp_path)
        assert line.endswith(f"{name}.toml is a link that leads nowhere: put the file itself there @ --team")


def test_a_link_inside_the_folder_is_fine(tmp_path: Path) -> None:
    """And so is a folder that is a link itself."""
    written(tmp_path, TWO, "in/crew.toml")
    (tmp_path / "in" / "same.toml").symlink_to("crew.toml")
    (tmp_path / "link").symlink_to("in")
    chosen, faults = choose(None, TeamOptions(team="same", teams=tmp_path / "link"))
    assert chosen is not None
    assert faults == ()


def test_a_team_that_is_not_there(tmp_path: Path) -> None:
    """What is there is named."""
    [line] = options_refused(team="crow", teams=tmp_path)
    assert (
        line
        == f"there is no team file {tmp_path / 'crow.toml'}: that folder has no .toml files, name another "
        + ("with --teams @ --team")
    )
    for number in range(12):
        written(tmp_path, TWO, f"t{number:02}.toml")
    [line] = options_refused(team="crow", teams=tmp_path)
    assert "that folder has t00.toml, t01.toml, " in line
    assert "t09.toml and 2 more @ --team" in line


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    """A pipe would be read for ever."""
    os.mkfifo(tmp_path / "pipe.toml")
    (tmp_path / "folder.toml").mkdir()
    for name in ("pipe", "folder"):
        [line] = options_refused(team=name, teams=tmp_path)
        assert "is not a file: name the TOML file of a team" in line


@pytest.mark.parametrize("name", ["no", "file", "\0"])
def test_a_folder_that_is_none(tmp_path: Path, name: str) -> None:
    """Told as such."""
    written(tmp_path, "", "file")
    [line] = options_refused(team="crew", teams=tmp_path / name)
    assert "there is no folder" in line
    assert line.endswith(" @ --teams")


@pytest.mark.row(81)
@pytest.mark.parametrize(
    ("said", "where"),
    [
        ('cwd = ".."\ncommand = ["true"]', "cwd"),
        ('cwd = "/"\ncommand = ["true"]', "cwd"),
        ('cwd = "up"\ncommand = ["true"]', "cwd"),
        ('command = ["{here}/../x"]', "command[0]"),
        ('command = ["true", "{here}-other/x"]', "command[1]"),
        ('command = ["true", "{here}/up/x"]', "command[1]"),
        ('command = ["true"]\nenv = { A = "{here}/../.." }', "env.A"),
    ],
)
def test_a_path_in_a_template_that_leads_out_is_refused(tmp_path: Path, said: str, where: str) -> None:
    """Once, however many the role has; links are followed."""
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "up").symlink_to(tmp_path)
    [line] = refused(folder, f'[[roles]]\nname = "a"\nsize = 3\n{said}')
    assert "leads out of the folder of the team: name a place inside it" in line
    assert line.endswith(f" @ $.roles[0].{where}")


def test_paths_inside_the_folder_are_fine(tmp_path: Path) -> None:
    """So are programs by their full path: they are no files of the team."""
    said = 'cwd = "."\ncommand = ["/bin/sh", "{here}/sub/x", "{here}"]\nenv = { A = "{here}/sub/../y" }'
    assert instance_of(tmp_path, f'[[roles]]\nname = "a"\n{said}').paths == ("/crew/a",)


@pytest.mark.parametrize(
    ("file", "options", "places"),
    [
        (None, {}, ["FILE"]),
        ("x.toml", {"team": "crew"}, ["--team"]),
        ("x.toml", {"size": ("a=1",), "name": "x", "teams": Path("x")}, ["--teams", "--name", "--size"]),
        ("x.toml", {"name": ""}, ["--name"]),
        (None, {"size": ("a=1",)}, ["FILE", "--size"]),
    ],
)
def test_options_that_do_not_go_together(
    file: str | None, options: dict[str, Any], places: list[str]
) -> None:
    """Before anything is read."""
    lines = options_refused(None if file is None else Path(file), **options)
    assert [line.rpartition(" @ ")[2] for line in lines] == places


def test_a_template_that_is_run_as_a_file_says_how(tmp_path: Path) -> None:
    """The likeliest slip."""
    path = written(tmp_path, TWO, "crew.toml")
    [line] = options_refused(path)
    assert line == f"it is the template of a team: name it as --team crew --teams {tmp_path} @ $"


# --- the program ---------------------------------------------------------------------


@pytest.mark.row(81)
def test_the_program_spawns_a_team_of_six_and_says_when_it_is_ready() -> None:
    """The example as it stands: six processes, each counted once; all have spoken before anybody ends."""
    names = ("lead", "searcher-1", "searcher-2", "searcher-3", "critic", "writer")
    wanted = {"/research/lead | lead plans the work of research"}
    wanted |= {f"/research/searcher-{number} | shelf {number}" for number in (1, 2, 3)}
    with running(
        "run", "--team", "research", "--teams", EXAMPLES, "--output", "--store", "memory"
    ) as process:
        assert process.stdout is not None
        lines: list[str] = []
        while not wanted <= set(lines) or not lines_of_team(lines)[-1:][0].startswith("research: 6 of 6"):
            lines.append(process.stdout.readline().rstrip("\n"))
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        assert process.wait() == 130
    *counts, last = lines_of_team(lines)
    assert counts == [f"research: {count} of 6 ready" for count in range(1, 6)]
    assert re.fullmatch(r"research: 6 of 6 ready after \d+\.\d\d s", last)
    assert [line.split()[2] for line in lines if line.endswith("Spawned") and "/research/" in line] == [
        f"/research/{name}" for name in names
    ]
    assert not any("Stopped" in line for line in lines)
    assert rest.count("Stopped  exit SHUTDOWN (stopped)") >= 6


def lines_of_team(lines: list[str]) -> list[str]:
    """What is said of the team as a whole."""
    return [line for line in lines if line.startswith("research: ")] or [""]


def test_one_template_makes_another_team_by_other_sizes() -> None:
    """The second example, of classes: four readers, whom the chair has all asked."""
    done = program(
        "run",
        "--team",
        "review.toml",
        "--teams",
        EXAMPLES,
        "--store",
        "memory",
        "--size",
        "reader=4",
        "--name",
        "r",
        "--json",
    )
    facts = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.returncode, done.stderr) == (0, "")
    [ready] = [fact for fact in facts if fact["event"] == "TeamReady"]
    assert (ready["path"], ready["ready"], ready["total"]) == ("/r", 5, 5)
    assert [fact["ready"] for fact in facts if fact["event"] == "TeamProgress"] == [1, 2, 3, 4]
    [end] = [fact["exit"] for fact in facts if (fact["event"], fact["path"]) == ("Stopped", "/r/chair")]
    assert end["value"] == [f"reader-{number} of r: 2 of 10" for number in range(1, 5)]


def test_ctrl_c_leaves_nothing_of_a_team(tmp_path: Path) -> None:
    """In reverse order of start, children of children too."""
    text = """
        [team]
        policy = { shutdown = 1.0 }
        [[roles]]
        name = "a"
        size = 3
        command = ["sh", "-c", "sleep 60 & echo $$ $!; wait"]
    """
    written(tmp_path, text, "crew.toml")
    with running("run", "--team", "crew", "--teams", tmp_path, "--json", "--output") as process:
        facts = facts_of(process)
        pids: list[int] = []
        ready = False
        while len(pids) < 6 or not ready:
            fact = next(facts)
            ready = ready or fact["event"] == "TeamReady"
            pids += map(int, fact["line"].split()) if fact["event"] == "Output" else []
        assert all(map(still_runs, pids))
        process.send_signal(signal.SIGINT)
        rest = list(facts)
        assert process.wait() == 130
    stopped = [
        fact["path"] for fact in rest if fact["event"] == "Stopped" and fact["path"].startswith("/crew")
    ]
    assert stopped == ["/crew/a-3", "/crew/a-2", "/crew/a-1", "/crew"]
    assert not any(map(still_runs, pids))


@pytest.mark.row(81)
@pytest.mark.parametrize("command", ["run", "check"])
def test_a_refused_name_starts_nothing(tmp_path: Path, command: str) -> None:
    """The code is that of bad input, the line is on stderr."""
    written(tmp_path, f'[[roles]]\nname = "a"\ncommand = ["touch", "{tmp_path}/made"]', "crew.toml")
    (tmp_path / "in").mkdir()
    done = program(command, "--team", "../crew", "--teams", tmp_path / "in")
    assert (done.returncode, done.stdout) == (2, "")
    first, line = done.stderr.splitlines()
    assert first == "the command line:"
    assert line.strip().startswith("'../crew' is not the name of a team: write at most 128 letters")
    assert not (tmp_path / "made").exists()


def test_mistakes_of_the_machine_are_told_once_a_role(tmp_path: Path) -> None:
    """Before anything starts, however large the role is."""
    path = written(tmp_path, '[[roles]]\nname = "a"\nsize = 50\ncommand = ["no-such-program"]', "crew.toml")
    assert len([*machine_faults(load_template(path, Wanted()).team, SURROUNDINGS)]) == 50
    done = program("run", "--team", "crew", "--teams", tmp_path, "--json")
    [fault] = json.loads(done.stdout)["faults"]
    assert (done.returncode, fault["where"], fault["file"]) == (2, "$.roles[0].command", str(path))


def test_a_team_is_drawn_and_starts_nothing() -> None:
    """What it is, then the tree."""
    done = program("check", "--team", "research", "--teams", EXAMPLES, "--size", "searcher=1")
    first, second, third, *roles = done.stdout.splitlines()
    assert done.returncode == 0
    assert first == "A lead, three searchers, a critic and a writer"
    assert second.startswith("research (system) one_for_one")
    assert third.startswith("└── research (supervisor) one_for_one")
    assert [role.split()[1] for role in roles] == ["lead", "searcher", "critic", "writer"]
    tree = json.loads(program("check", "--team", "review", "--teams", EXAMPLES, "--json").stdout)
    assert tree["description"].startswith("Readers who each give a mark")
    assert [child["path"] for child in tree["children"][0]["children"]] == [
        "/review/reader-1",
        "/review/reader-2",
        "/review/chair",
    ]


def test_a_terminal_keeps_the_line_that_says_ready() -> None:
    """Above the table, when the live tree is gone."""
    leader, follower = pty.openpty()
    with subprocess.Popen(
        [
            *(sys.executable, "-m", "actors", "run", "--team", "research", "--teams", str(EXAMPLES)),
            *("--store", "memory"),
        ],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env=environment(TERM="xterm", COLUMNS="120", NO_COLOR="1"),
    ) as process:
        os.close(follower)
        screen = b""
        try:
            while data := os.read(leader, 65536):
                if b"6 of 6" in data and b"6 of 6" not in screen:
                    process.send_signal(signal.SIGINT)
                screen += data
        except OSError:  # how Linux tells the end
            pass
        finally:
            os.close(leader)
    assert process.wait() == 130
    assert screen.count(b"research: 6 of 6 ready after ") == 1
