"""The gate is checked at the door, and who reaches whom is decided by paths alone."""

from __future__ import annotations

from typing import Any

import cattrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import actors
from actors.mcp import Gate, Offer
from actors.mcp.faults import ToolFault
from actors.mcp.reach import is_within, may_order, parent_of, reaches, resolve
from actors.mcp.values import Values
from tests.mcp.world import Add, Worker


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"templates": [Worker]}, "templates map names to templates"),
        ({"templates": {"a b": Worker}}, "'a b'"),
        ({"templates": {"w": 5}}, "5"),
        ({"tools": ["spawn", "fly"]}, "no tool is called 'fly': the tools are answer, ask"),
        ({"tools": "spawn"}, "tools are a list of names"),
        ({"messages": "shop.Order"}, "messages are a list of tags"),
        ({"messages": [Worker]}, "Worker"),
        ({"parent": "agents"}, "'/network/worker-1'"),
        ({"parent": "/system"}, "the framework's own"),
        ({"parent": "/jobs/x"}, "the framework's own"),
        ({"reach": "all"}, "family, tree"),
        ({"people": "yes"}, "people must be True or False"),
        ({"limits": 5}, "SpawnLimits"),
        ({"name": "a b"}, "'a b'"),
        ({"linger": -1}, "linger"),
        ({"linger": float("inf")}, "finite"),
        ({"idle": 0}, "idle"),
        ({"inbox": 0}, "inbox"),
    ],
)
def test_a_wrong_gate_is_refused_at_the_door(options: dict[str, Any], said: str) -> None:
    """With the cure."""
    with pytest.raises((TypeError, ValueError), match=said):
        Gate(**options)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"keys": ["gretting"]}, "Worker has no parameter 'gretting': it knows greeting, start, stop"),
        ({"keys": "greeting"}, "keys are a list of names"),
        ({"text": str}, "str"),
        ({"text": Add}, "a message class with one field, not Add"),
        ({"about": 5}, "about"),
    ],
)
def test_a_wrong_offer_is_refused_at_the_door(options: dict[str, Any], said: str) -> None:
    """With the cure."""
    with pytest.raises((TypeError, ValueError), match=said):
        Offer(Worker, **options)


def test_a_gate_is_structured_from_plain_data() -> None:
    """As a TOML file has it; how templates are found is for who reads it."""
    converter = cattrs.Converter()
    converter.register_structure_hook(actors.Template, lambda said, _: actors.Template({"W": Worker}[said]))
    gate = converter.structure(
        {
            "templates": {"worker": {"template": "W", "keys": ["greeting"], "about": "It works."}},
            "limits": {"max_active": 3, "cooldown": 1.0},
            "messages": ["mcp-tests.Add"],
            "tools": ["spawn", "ask"],
            "people": True,
            "parent": "/teams/red",
            "linger": 5.0,
        },
        Gate,
    )
    assert gate == Gate(
        templates={"worker": Offer(Worker, keys=["greeting"], about="It works.")},
        limits=actors.SpawnLimits(max_active=3, cooldown=1.0),
        messages=[Add],
        tools=["spawn", "ask"],
        people=True,
        parent="/teams/red",
        linger=5.0,
    )


def test_who_answers_for_people_is_said_by_the_gate() -> None:
    """Its tools are not there otherwise, also where they are named."""
    assert not {"answer", "pending_requests"} & Gate().allowed
    assert {"answer", "pending_requests"} <= Gate(people=True).allowed
    assert Gate(tools=["answer", "tree"]).allowed == {"tree"}


ME = "/agents/me"


@pytest.mark.parametrize(
    ("path", "family", "tree", "order", "order_in_tree"),
    [
        ("/agents/me", True, True, False, False),
        ("/agents/me/a", True, True, True, True),
        ("/agents/me/a/b", True, True, True, True),
        ("/agents", True, True, False, False),
        ("/agents/other", True, True, False, True),
        ("/agents/other/a", False, True, False, True),
        ("/agents/me2", True, True, False, True),
        ("/agents/kept/a", False, True, True, True),
        ("/", False, True, False, False),
        ("/private", False, True, False, True),
        ("/system", False, False, False, False),
        ("/system/desk", False, False, False, False),
        ("/jobs/x", False, False, False, False),
        ("/systems", False, True, False, True),
    ],
)
def test_what_an_agent_reaches_and_may_order(
    path: str, family: bool, tree: bool, order: bool, order_in_tree: bool
) -> None:
    """Decided by paths alone."""
    assert reaches(ME, path) is family
    assert reaches(ME, path, whole=True) is tree
    assert may_order(ME, path, ["/agents/kept"]) is order
    assert may_order(ME, path, ["/agents/kept"], whole=True) is order_in_tree


def test_an_agent_below_the_root_does_not_see_the_framework() -> None:
    """Its peers are the program's own actors."""
    assert reaches("/me", "/other")
    assert not reaches("/me", "/system")
    assert not reaches("/me", "/jobs")


@pytest.mark.parametrize(
    ("said", "path"),
    [
        ("/agents/other", "/agents/other"),
        ("//agents//other/", "/agents/other"),
        ("w", "/agents/me/w"),
        ("w/x", "/agents/me/w/x"),
        ("/", "/"),
    ],
)
def test_a_name_is_that_of_a_child(said: str, path: str) -> None:
    """A whole path begins with a slash."""
    assert resolve(ME, said) == path


@pytest.mark.parametrize("said", ["", "  "])
def test_an_empty_path_is_no_path(said: str) -> None:
    """The cure shows one."""
    with pytest.raises(ValueError, match="a path is missing: write"):
        resolve(ME, said)


_PATHS = st.lists(st.sampled_from(["agents", "me", "a", "system", "x"]), max_size=4).map(
    lambda parts: "/" + "/".join(parts)
)


@given(_PATHS, _PATHS)
def test_whoever_may_order_reaches_and_is_not_below(me: str, path: str) -> None:
    """Nobody orders what it does not see, itself, or what stands above it."""
    for whole in (False, True):
        if me != "/" and not is_within(me, "/system") and may_order(me, path, [], whole=whole):
            assert not is_within(me, path)
            assert whole is False or reaches(me, path, whole=True)
    assert is_within(path, parent_of(path))


def test_what_is_below_what_was_adopted_is_ordered_too() -> None:
    """What only has a name that begins alike is not."""
    me, adopted = "/agents/me", ("/agents/kept",)
    assert may_order(me, "/agents/kept/below/it", adopted)
    assert not may_order(me, "/agents/kept2", adopted)


async def test_a_ref_to_one_that_has_gone_is_not_to_who_took_its_place() -> None:
    """A path alone is not enough."""
    async with actors.open_system("town") as system:
        old = await system.start(Worker, name="w")
        coded = Values(lambda path: old, ()).out(old)
        old.stop()
        await old.wait_stopped()
        new = await system.start(Worker, name="w")
        values = Values(lambda path: new, ())
        assert values.given(values.out(new)) == new
        with pytest.raises(ToolFault, match="is another one by now"):
            values.given(coded)
