"""The example programs of the documentation, run as they stand."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"


def run(name: str, typed: str = "") -> str:
    """What an example prints; it must succeed and complain of nothing."""
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / name)],
        input=typed,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_primes_are_counted_on_every_core() -> None:
    """There are 4,203 primes below 40,000, however many processes look for them."""
    assert run("cores.py").startswith("4203 primes, counted on ")


def test_a_network_tells_each_agent_that_is_ready_and_is_whole_at_the_end() -> None:
    """The one that fails at first is started again; the tree shows all of them at rest."""
    *steps, system, network, _, _, _ = run("network.py").splitlines()
    told = [re.fullmatch(r"(\d) of 3: (\w+) is IDLE after \d\.\d s", step) for step in steps]
    assert [step and step[1] for step in told] == ["1", "2", "3"]
    assert {step and step[2] for step in told} == {"planner", "searcher", "writer"}
    assert (system, network) == ("alpha [idle] (system)", "└── network [idle] (supervisor)")


REPORT = [
    "The light at Corran Head was built by Robert Muir.",
    "The light at Corran Head was lit first in 1832.",
    "The light at Corran Head was paid for by the merchants of Ardle.",
]
QUESTION = (
    "? The light was lit first in 1831 in keepers-log and letter; 1832 in harbour-gazette. Which is right? "
)


def test_six_agents_in_two_crews_ask_a_person_once_survive_a_kill_and_finish() -> None:
    """A coordinator, two supervisors and six agents; what the person typed is what the report says."""
    *tree, failed, restarted, first, second, third, spent = run("research", "1832\n").splitlines()
    kinds = Counter(line.rpartition(" ")[2] for line in tree)
    assert kinds == {"(system)": 1, "(supervisor)": 3, "(process)": 6}
    assert re.match(r"\* /coordinator/readers/reader-1: ProcessFailed: .* was ended by SIGKILL", failed)
    assert restarted == "* /coordinator/readers/reader-1: is at work again"
    assert [first.removeprefix(QUESTION + "[1831/1832] "), second, third] == REPORT
    assert first.count(QUESTION) == 1
    assert re.fullmatch(r"\d{3} of 2000 tokens spent", spent)


def test_what_is_no_answer_is_asked_again_by_the_terminal_and_not_by_the_agents() -> None:
    """The desk has one request; whoever sits there types until it is an answer."""
    printed = run("research", "neither\n1832\n")
    assert printed.count(QUESTION) == 2
    assert REPORT[1] in printed
