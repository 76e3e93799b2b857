"""Every mistake that can be seen in a file alone is named, with its place and the cure."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from actors.limits import Ladder, Oversight, Pattern, Stall, Timeout
from actors.outcome import FailureKind
from actors.policy import Breaker, OneForAll, Policy, RestForOne
from tests.cli.cast import faults_in, team_of

OK = '[[agents]]\nname = "a"\ncommand = ["true"]\n'


def agent(text: str) -> str:
    return f'[[agents]]\nname = "a"\ncommand = ["true"]\n{text}\n'


def policy(text: str) -> str:
    return agent(f"policy = {text}")


def system(text: str) -> str:
    return f"[system]\n{text}\n{OK}"


CASES = {
    "an unknown key at the top": ("agent = []\n" + OK, "unknown key 'agent'", "$"),
    "an unknown key of an agent": (agent('cmd = "x"'), "unknown key 'cmd'", "$.agents[0]"),
    "an unknown key of a policy": (policy("{ retry = 1 }"), "unknown key 'retry'", "$.agents[0].policy"),
    "a function is no data": (policy("{ classify = 1 }"), "unknown key 'classify'", "$.agents[0].policy"),
    "a number as text": (agent('max_output = "7"'), 'a whole number, not "7"', "$.agents[0].max_output"),
    "true is no number": (agent("max_output = true"), "a whole number, not true", "$.agents[0].max_output"),
    "1 is not true": (agent("check = 1"), "expected true or false, not 1", "$.agents[0].check"),
    "a fraction of a byte": (agent("max_output = 1.5"), "a whole number, not 1.5", "$.agents[0].max_output"),
    "text is no list": ('[[agents]]\ncommand = "ls -l"', 'a list, not "ls -l"', "$.agents[0].command"),
    "a word that is none": ('[[agents]]\ncommand = ["a", 7]', "a string, not 7", "$.agents[0].command[1]"),
    "an empty command": ("[[agents]]\ncommand = []", "the command is empty", "$.agents[0].command"),
    "an agent that is none": ("agents = [7]", "expected a table, not 7", "$.agents[0]"),
    "agents that are none": ("agents = 7", "expected a list, not 7", "$.agents"),
    "a variable that is none": (agent("env = { A = 1 }"), "a string, not 1", "$.agents[0].env['A']"),
    "a name for no variable": (agent('env = { "A=" = "1" }'), "cannot be a variable", "$.agents[0].env"),
    "an unknown restart type": (
        policy('{ restart = "always" }'),
        'expected one of permanent, transient, temporary, not "always"',
        "$.agents[0].policy.restart",
    ),
    "an unknown preset": (policy('"fast"'), "choose one of default, production", "$.agents[0].policy"),
    "an unknown preset inside": (policy('{ preset = "fast" }'), "unknown preset", "$.agents[0].policy"),
    "a policy that is none": (policy("7"), "expected a table, not 7", "$.agents[0].policy"),
    "an unknown breaker": (
        policy('{ breaker = "weak" }'),
        'unknown breaker "weak": choose one of agents, services, lenient',
        "$.agents[0].policy.breaker",
    ),
    "a breaker that is true": (
        policy("{ breaker = true }"),
        "a breaker is false, a table, or one of",
        "$.agents[0].policy.breaker",
    ),
    "no failures for a breaker": (
        policy("{ breaker = { failures = 0 } }"),
        "failures must be a whole number of 1 or more, not 0",
        "$.agents[0].policy.breaker.failures",
    ),
    "no room at all": (
        policy("{ mailbox = { capacity = 0 } }"),
        "capacity must be a whole number of 1 or more",
        "$.agents[0].policy.mailbox.capacity",
    ),
    "a negative time": (
        policy("{ shutdown = -1 }"),
        "shutdown must be 0 or more seconds, not -1",
        "$.agents[0].policy.shutdown",
    ),
    "a time that is no number": (
        policy("{ backoff = { maximum = nan } }"),
        "maximum must be 0 or more seconds, not nan",
        "$.agents[0].policy.backoff.maximum",
    ),
    "two times that contradict": (
        policy("{ backoff = { initial = 9, maximum = 1 } }"),
        "initial (9 s) is above maximum (1 s)",
        "$.agents[0].policy.backoff",
    ),
    "a limit that never grows": (
        policy("{ timeout = { factor = 1 } }"),
        "factor must be more than 1",
        "$.agents[0].policy.timeout.factor",
    ),
    "a ladder without a limit of silence": (
        policy("{ timeout = { no_activity = false, ladder = {} } }"),
        "a ladder leads to the silence limit: set no_activity",
        "$.agents[0].policy.timeout",
    ),
    "a broken pattern": (
        policy("{ stall = { patterns = ['fine', 'a('] } }"),
        "unterminated subpattern at position 1",
        "$.agents[0].policy.stall.patterns[1]",
    ),
    "a callback of a stall": (
        policy("{ stall = { on_detection = 'f' } }"),
        "unknown key 'on_detection'",
        "$.agents[0].policy.stall",
    ),
    "an unknown store": (
        f'store = "mysql:x"\n{OK}',
        'unknown store "mysql:x": write "sqlite:FILE"',
        "$.store",
    ),
    "a store that is none": (f"store = 7\n{OK}", 'expected one of "sqlite:FILE"', "$.store"),
    "a store without a file": (f'store = "sqlite:"\n{OK}', 'unknown store "sqlite:"', "$.store"),
    "a store without an address": (f'{OK}[store]\nprefix = "x"', "url is missing", "$.store.url"),
    "a prefix that is none": (
        f'{OK}[store]\nurl = "redis://x"\nprefix = "a b"',
        'a prefix is of letters, digits, and . _ / -, not "a b"',
        "$.store.prefix",
    ),
    "an unknown bound of posting": (f"{OK}[posting]\nroom = 1", "unknown key 'room'", "$.posting"),
    "no room for posted messages": (f"{OK}[posting]\ncapacity = 0", "capacity must be", "$.posting.capacity"),
    "nothing at once": (
        policy("{ delivery = { at_once = 0 } }"),
        "at_once",
        "$.agents[0].policy.delivery.at_once",
    ),
    "an unknown strategy": (
        system('strategy = "all"'),
        'unknown strategy "all": choose one of one_for_one, one_for_all, rest_for_one',
        "$.system.strategy",
    ),
    "a strategy without a kind": (
        system("strategy = { within = 1 }"),
        "kind is missing: name the strategy as one of one_for_one",
        "$.system.strategy",
    ),
    "a strategy that is none": (
        system("strategy = 7"),
        "expected one of one_for_one, one_for_all, rest_for_one, or a table, not 7",
        "$.system.strategy",
    ),
    "an unknown key of a strategy": (
        system('strategy = { kind = "one_for_one", restarts = 1 }'),
        "unknown key 'restarts': the known ones are max_restarts, within, per",
        "$.system.strategy",
    ),
    "a window of no time": (system("within = 0"), "within must be more than 0", "$.system.within"),
    "too few restarts": (system("max_restarts = -1"), "0 or more, not -1", "$.system.max_restarts"),
    "an unknown scope": (system('per = "all"'), "expected one of child, supervisor", "$.system.per"),
    "a bad name": ('[[agents]]\nname = "a b"\ncommand = ["x"]', "not a valid name", "$.agents[0].name"),
    "a bad name of a system": (system('name = "/"'), "not a valid name", "$.system.name"),
    "a supervisor without a name": (
        '[[supervisors]]\nagents = [{ command = ["true"] }]',
        "name is missing",
        "$.supervisors[0].name",
    ),
    "a supervisor of nobody": ('[[supervisors]]\nname = "a"', "nobody to supervise", "$.supervisors[0]"),
    "a file of nobody": ('[system]\nname = "a"', "describes nobody", "$"),
    "an unknown end": (
        '[[supervisors]]\nname = "a"\nauto_shutdown = "some"\nagents = [{ command = ["true"] }]',
        "expected one of never, any, all",
        "$.supervisors[0].auto_shutdown",
    ),
    "deep inside": (
        '[[supervisors]]\nname = "a"\n[[supervisors.agents]]\ncommand = ["x"]\npolicy = { restart = 1 }',
        "not 1",
        "$.supervisors[0].agents[0].policy.restart",
    ),
    "neither command nor class": ('[[agents]]\nname = "a"', "this one has none", "$.agents[0]"),
    "command and class": (agent('class = "a:B"'), 'this one has "class" and "command"', "$.agents[0]"),
    "arguments for a command": (agent("args = [1]"), '"args" does not go with "command"', "$.agents[0]"),
    "input for a class": ('[[agents]]\nclass = "a:B"\ninput = ""', '"input" does not go', "$.agents[0]"),
    "readiness of a class": ('[[agents]]\nclass = "a:B"\nready = "x"', '"ready" does not go', "$.agents[0]"),
    "a broken line of readiness": (
        agent('ready = "ready ("'),
        "ready 'ready (' is no regular expression",
        "$.agents[0].ready",
    ),
    "a class without a module": (
        '[[agents]]\nclass = "Greeter"',
        'write "package.module:',
        "$.agents[0].class",
    ),
    "a class with an accent": (
        '[[agents]]\nclass = "a.b:C d"',
        'write "package.module:',
        "$.agents[0].class",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, case: str) -> None:
    """One line for one mistake: what is wrong, and where it stands."""
    text, message, place = CASES[case]
    [line] = faults_in(tmp_path, text)
    assert message in line
    assert line.endswith(f" @ {place}")


def test_an_unknown_key_is_told_the_known_ones(tmp_path: Path) -> None:
    """The message lists every key of its place."""
    [line] = faults_in(tmp_path, system("foo = 1"))
    assert line.startswith(
        "unknown key 'foo': the known ones are strategy, max_restarts, within, per, policy, name"
    )


def test_all_mistakes_come_at_once(tmp_path: Path) -> None:
    """Nobody has to run it again to learn of the next one."""
    text = "[system]\nname = 1\n[[agents]]\nx = 1\ny = 2\nname = 2\n[[supervisors]]\nname = 3\n"
    places = [line.rpartition(" @ ")[2] for line in faults_in(tmp_path, text)]
    assert sorted(places) == [
        "$.agents[0]",
        "$.agents[0]",
        "$.agents[0].name",
        "$.supervisors[0].name",
        "$.system.name",
    ]


def test_text_of_the_file_cannot_move_a_mistake(tmp_path: Path) -> None:
    """An @ inside a value is not taken for the place."""
    [line] = faults_in(tmp_path, agent('check = "a @ $.b"'))
    assert line == 'expected true or false, not "a @ $.b" @ $.agents[0].check'


# --- what is right ---------------------------------------------------------------


def policy_in(folder: Path, text: str) -> Policy:
    found = team_of(folder, policy(text)).agents[0].spec.policy
    assert found is not None
    return found


def test_a_policy_may_be_a_preset(tmp_path: Path) -> None:
    """Its name stands for it."""
    assert policy_in(tmp_path, '"patient"') == Policy.preset("patient")


def test_a_table_changes_a_preset_where_it_says_so(tmp_path: Path) -> None:
    """Also inside: what a table does not say is as in the preset, not as in the defaults."""
    found = policy_in(
        tmp_path, '{ preset = "production", breaker = { failures = 9 }, backoff = { initial = 50 } }'
    )
    base = Policy.preset("production")
    assert base.breaker is not None
    assert found.retries == base.retries
    assert found.breaker == Breaker(failures=9, within=300.0, reset_after=120.0, fast_fail=True)
    assert (found.backoff.initial, found.backoff.maximum) == (50, 120.0)


@pytest.mark.parametrize(
    ("said", "breaker"),
    [
        ("false", None),
        ('"agents"', Breaker.agents()),
        ('"services"', Breaker.services()),
        ('"lenient"', Breaker.lenient()),
        ("{ failures = 1 }", Breaker(failures=1)),
    ],
)
def test_a_breaker_has_short_spellings(tmp_path: Path, said: str, breaker: Breaker | None) -> None:
    """`false` is none, a name is a preset, a table is its fields."""
    assert policy_in(tmp_path, f"{{ breaker = {said} }}").breaker == breaker


@pytest.mark.parametrize(
    ("said", "timeout"),
    [
        ("false", None),
        ("{}", Timeout()),
        ('{ mode = "fixed", initial = 5 }', Timeout("fixed", 5)),
        ("{ no_activity = false }", Timeout(no_activity=None)),
        ("{ ladder = {} }", Timeout(ladder=Ladder())),
        ("{ ladder = { notice = false, warn = 0.8 } }", Timeout(ladder=Ladder(None, 0.75, 0.8))),
    ],
)
def test_a_timeout_is_a_table(tmp_path: Path, said: str, timeout: Timeout | None) -> None:
    """`false` is none, and inside it no limit of silence, no ladder, no rung."""
    assert policy_in(tmp_path, f"{{ timeout = {said} }}").timeout == timeout


def test_a_stall_has_its_patterns(tmp_path: Path) -> None:
    """Each a regular expression, or a table with its kind and the stream to look in."""
    found = policy_in(
        tmp_path,
        "{ stall = { threshold = 9, terminate = false, patterns = "
        "['a+', { regex = 'b', kind = 'RATE_LIMIT', stream = 'both' }] } }",
    )
    patterns = ("a+", Pattern("b", kind=FailureKind.RATE_LIMIT, stream="both"))
    assert found.stall == Stall(threshold=9, terminate=False, patterns=patterns)
    assert policy_in(tmp_path, "{ stall = {} }").stall == Stall()
    assert policy_in(tmp_path, "{ stall = { patterns = [] } }").stall == Stall(patterns=())


def test_limits_may_have_tables_of_their_own(tmp_path: Path) -> None:
    """As TOML writes what is long."""
    text = agent(
        "[agents.policy]\nretries = 1\nretry_on_timeout = false\n"
        '[agents.policy.timeout]\nmode = "adaptive"\nmaximum = 90.0\n'
        "[agents.policy.timeout.ladder]\nnudge = 0.6\n"
        "[agents.policy.stall]\nconfirmations = 3\n"
        "[agents.policy.oversight]\nstuck = false\n"
    )
    assert team_of(tmp_path, text).agents[0].spec.policy == Policy(
        retries=1,
        retry_on_timeout=False,
        timeout=Timeout("adaptive", maximum=90.0, ladder=Ladder(nudge=0.6)),
        stall=Stall(confirmations=3),
        oversight=Oversight(stuck=None),
    )


def test_limits_change_those_of_a_preset_where_they_say_so(tmp_path: Path) -> None:
    """What they do not say is the preset's."""
    found = policy_in(
        tmp_path,
        '{ preset = "production", timeout = { initial = 200, no_activity = 50 }, stall = { threshold = 9 } }',
    )
    assert found.timeout == Timeout(
        initial=200, maximum=600.0, extend_within=15.0, factor=1.5, no_activity=50
    )
    assert found.stall == Stall(threshold=9, terminate=False)
    bare = policy_in(tmp_path, '{ preset = "production", timeout = false, stall = false }')
    assert (bare.timeout, bare.stall, bare.retries) == (None, None, 2)


def test_infinity_is_a_time_and_a_capacity(tmp_path: Path) -> None:
    """TOML can write it."""
    found = policy_in(tmp_path, "{ shutdown = inf, mailbox = { capacity = inf } }")
    assert (found.shutdown, found.mailbox.capacity) == (math.inf, math.inf)


def test_the_keys_beside_a_strategy_complete_it(tmp_path: Path) -> None:
    """A name and three keys say the same as a table."""
    beside = team_of(
        tmp_path, system('strategy = "one_for_all"\nmax_restarts = 1\nwithin = 2\nper = "supervisor"')
    )
    table = team_of(
        tmp_path,
        system('strategy = { kind = "one_for_all", max_restarts = 1, within = 2, per = "supervisor" }'),
    )
    assert beside.strategy == table.strategy == OneForAll(1, 2, "supervisor")


def test_a_key_beside_a_strategy_wins_over_its_table(tmp_path: Path) -> None:
    """The nearer one counts."""
    found = team_of(tmp_path, system('strategy = { kind = "rest_for_one", within = 9 }\nwithin = 2'))
    assert found.strategy == RestForOne(within=2)
