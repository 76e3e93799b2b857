"""Programs that are spoken to, in files of agents, and asked from other processes."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from actors.cli.commands import execute
from actors.cli.load import BadFile, load
from actors.cli.what import program_of
from actors.process import Lines, Terminal
from tests.cli.cast import SURROUNDINGS, facts_of, faults_in, instance_of, program, running, team_of

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "agents.toml"
TALK = '[[agents]]\nname = "a"\nlines = ["cat"]\n'
SHELL = '[[agents]]\nname = "a"\nterminal = ["sh"]\nprompt = "[$] $"\n'

needs_tmux = pytest.mark.skipif(shutil.which("tmux") is None, reason="a terminal is a pane of tmux")


def made(folder: Path, text: str) -> object:
    """What the one agent of a file is."""
    [agent] = team_of(folder, text).agents
    return program_of(agent.spec, agent.place, SURROUNDINGS)


# --- what a file says -----------------------------------------------------------------


def test_lines_have_all_that_the_file_says_of_them(tmp_path: Path) -> None:
    """Placeholders as in a command; folders count from the file."""
    what = made(
        tmp_path,
        """
        [[agents]]
        name = "a"
        lines = ["{python}", "{here}/model.py"]
        cwd = "."
        env = { HERE = "{here}" }
        protocol = "text"
        ready = "^model"
        ready_within = false
        in_flight = 3
        confirm = true
        max_line = 1024
        max_garbage = false
        max_output = 99
        stop_within = 1
        linger = 0.5
        """,
    )
    assert isinstance(what, Lines)
    assert what.argv == (sys.executable, f"{tmp_path}/model.py")
    assert (what.cwd, dict(what.env or {})["HERE"]) == (str(tmp_path), str(tmp_path))
    assert what.ready is not None
    assert what.ready.pattern == "^model"
    said = (what.protocol, what.ready_within, what.in_flight, what.confirm, what.max_line, what.max_garbage)
    assert said == ("text", None, 3, True, 1024, None)
    assert (what.max_output, what.stop_within, what.linger) == (99, 1, 0.5)


@pytest.mark.parametrize(
    ("more", "handshake", "waits"), [("", True, True), ("ready = false", False, False)], ids=["", "false"]
)
def test_lines_are_ready_at_their_own_word_unless_the_file_says_false(
    tmp_path: Path, more: str, handshake: bool, waits: bool
) -> None:
    """What is not said is as in Python, and false is not "not said"."""
    what = made(tmp_path, TALK + more)
    assert isinstance(what, Lines)
    assert (what.is_handshake, what.ready is not None) == (handshake, waits)
    assert what.ready_within == Lines(["cat"]).ready_within


def test_a_terminal_has_all_that_the_file_says_of_it(tmp_path: Path) -> None:
    """Whatever is not said is as in Python."""
    what = made(
        tmp_path,
        SHELL
        + """
        cooldown = 0.5
        prompt_timeout = 9
        quiet = 0.2
        submit = "C-m"
        interrupt_key = "Escape"
        interrupt_timeout = 1
        echo = false
        multiline = true
        width = 80
        height = 24
        history = 500
        folder = "panes"
        keep = true
        check = false
        linger = 2
        term = "screen"
        tmux = "tmux-next"
        """,
    )
    env = dict(SURROUNDINGS.environ)
    expected = Terminal(
        ["sh"],
        prompt="[$] $",
        env=env,
        cooldown=0.5,
        prompt_timeout=9,
        quiet=0.2,
        submit="C-m",
        interrupt_key="Escape",
        interrupt_timeout=1,
        echo=False,
        multiline=True,
        width=80,
        height=24,
        history=500,
        folder=str(tmp_path / "panes"),
        keep=True,
        check=False,
        linger=2,
        term="screen",
        tmux="tmux-next",
    )
    assert what == expected
    assert made(tmp_path, SHELL) == Terminal(["sh"], prompt="[$] $", env=env)


def test_roles_fill_in_their_names_wherever_words_go(tmp_path: Path) -> None:
    """In a prompt they stand for just that text."""
    text = """
        [[roles]]
        name = "a.b"
        size = 2
        terminal = ["talk", "--as", "{name}"]
        prompt = "^{name}> $"
    """
    agents = instance_of(tmp_path, text, "t").team.agents
    assert [(agent.spec.words[2], agent.spec.prompt) for agent in agents] == [
        ("a.b-1", r"^a\.b\-1> $"),
        ("a.b-2", r"^a\.b\-2> $"),
    ]


@pytest.mark.parametrize(
    ("text", "wrong", "place"),
    [
        (
            TALK + 'command = ["ls"]',
            'an agent has one of class, command, lines, terminal, this one has "co',
            "",
        ),
        (TALK + 'prompt = "x"', '"prompt" does not go with "lines": take it out', ""),
        (TALK + 'input = "x"', '"input" does not go with "lines": take it out', ""),
        (TALK + 'args = ["x"]', '"args" does not go with "lines": take it out', ""),
        (TALK + "in_flight = 0", "in_flight must be", ".in_flight"),
        (TALK + 'in_flight = "2"', 'expected a whole number, not "2"', ".in_flight"),
        (TALK + 'protocol = "xml"', "expected one of json, text", ".protocol"),
        (TALK + 'ready = "["', "no regular expression", ".ready"),
        (TALK + "ready = true", "expected a string, not true", ".ready"),
        (TALK + "stop_within = -1", "stop_within must be", ".stop_within"),
        ("[[agents]]\nlines = []", "the command is empty", ".lines"),
        ('[[agents]]\nlines = ["no-such-program"]', "install it, name its full path", ".lines"),
        ('[[agents]]\nterminal = ["sh"]', 'a terminal needs a "prompt"', ""),
        (SHELL + 'protocol = "text"', '"protocol" does not go with "terminal"', ""),
        (SHELL + "ready = false", '"ready" does not go with "terminal"', ""),
        (SHELL + "cooldown = -1", "cooldown must be", ".cooldown"),
        (SHELL + 'submit = "Return"', "Return", ".submit"),
        (SHELL + "width = 0", "width must be a whole number from 1", ".width"),
        (SHELL + "keep = true", '"keep" needs a "folder"', ""),
        (SHELL + f'folder = "{"a" * 200}"', "too long for the socket in it", ".terminal"),
        (SHELL + 'tmux = "no-such-tmux"', "install tmux", ".terminal"),
        (SHELL + 'cwd = "no-such-folder"', "there is no folder", ".cwd"),
        (TALK + "policy = { budget = { tokens = -1 } }", "of 0 or more, not -1", ".policy.budget.tokens"),
    ],
    ids=lambda value: value.splitlines()[-1] if "\n" in value else "",
)
def test_every_mistake_has_its_place_and_its_cure(tmp_path: Path, text: str, wrong: str, place: str) -> None:
    """One line for one mistake."""
    [fault] = faults_in(tmp_path, text)
    assert wrong in fault
    assert fault.endswith(f"@ $.agents[0]{place}")


def test_a_folder_of_a_template_lies_inside_its_own(tmp_path: Path) -> None:
    """The file may come from somebody else."""
    text = '[[roles]]\nname = "a"\nterminal = ["{here}/../sh"]\nprompt = "x"\nfolder = "../panes"'
    with pytest.raises(BadFile) as caught:
        instance_of(tmp_path, text)
    assert [fault.where for fault in caught.value.faults] == ["$.roles[0].folder", "$.roles[0].terminal[0]"]


# --- the example, run as it stands ----------------------------------------------------


def test_the_check_says_how_each_is_spoken_with() -> None:
    """In the drawing, and in JSON."""
    team = load(EXAMPLE)
    assert "counter (process, in lines)" in str(team)
    assert "ada (process, in a terminal)" in str(team)
    assert [(one["kind"], one["as"]) for one in team.as_dict()["children"]] == [
        ("process", "lines"),
        ("process", "lines"),
        ("process", "terminal"),
    ]


@contextmanager
def example(folder: Path, of: int) -> Generator[Path]:
    """The example runs; so many are ready. The file of its tickets, by which it is asked."""
    tickets = folder / "tickets.db"
    with running("run", EXAMPLE, "--json", "--store", f"sqlite:{tickets}") as process:
        started = 0
        for fact in facts_of(process):
            started += fact["event"] == "Started"
            if started == of:
                break
        yield tickets
        process.terminate()
        process.stdout.read()  # type: ignore[union-attr]
        assert process.wait(20) == 143


@needs_tmux
def test_spoken_agents_of_a_run_are_asked_in_plain_text_from_another_process(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """As programs for which nobody has a class: JSON in quotes is a text for all of them."""

    def said(*arguments: object) -> tuple[int, str, str]:
        code = execute([str(one) for one in arguments])
        out, err = capfd.readouterr()
        return code, out, err

    with example(tmp_path, of=3) as tickets:
        assert re.search(r"counter \[idle\] \(process\)", said("tree", tickets)[1])
        assert said("ask", tickets, "/counter", '"how many words are these"') == (0, "5\n", "")
        streamed = said("ask", tickets, "/speller", '"one by one"', "--stream")
        assert streamed == (0, '"one"\n"by"\n"one"\n', "")
        code, out, err = said("ask", tickets, "/ada", r'"a \u001b key"')
        assert (code, out) == (1, "")
        assert "nothing was typed: text has the control character" in err
        spoken = program("ask", tickets, "/ada", '"hello"')
        assert (spoken.stdout, spoken.stderr) == ('"You said: HELLO"\n', "")


@pytest.mark.parametrize(
    ("where", "code", "why"),
    [
        ("no_such.toml", 2, "no_such.toml"),
        (EXAMPLE, 1, "start its system first"),
        ("redis://127.0.0.1:1", 2, "ws://host:port"),
    ],
)
def test_a_file_that_nobody_runs_is_told(
    capfd: pytest.CaptureFixture[str], where: object, code: int, why: str
) -> None:
    """One line, and nothing is begun."""
    assert execute(["ask", str(where), "/x", '"hello"']) == code
    out, err = capfd.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert why in err
