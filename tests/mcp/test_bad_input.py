"""What is wrong is said with its cure, in a tool error; the session goes on, and nothing of ours is shown."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from actors.mcp import Gate, build_server
from actors.mcp.faults import ToolFault
from tests.mcp.test_talking import add
from tests.mcp.world import a_gate, a_talk


@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("nothing", {}, "no tool is called 'nothing': the tools are ask, "),
        ("answer", {"id": "x", "value": 1}, "no tool is called 'answer'"),
        ("ask", {"path": "w"}, "wrong arguments: message: Field required. ask takes: path, message, timeout"),
        ("tell", {"path": "w", "message": "x", "loud": True}, "loud: there is no such argument"),
        ("ask", {"path": "w", "message": "x", "timeout": "5"}, "timeout: "),
        ("ask", {"path": "w", "message": "x", "timeout": -1}, "timeout: "),
        ("ask", {"path": 7, "message": "x"}, "path: Input should be a valid string"),
        ("ask", {"path": "w", "message": 5}, "message."),
        ("ask", {"path": "w", "message": None}, "message."),
        ("messages", {"limit": 0}, "limit: "),
        ("stop", {"paths": "w"}, "paths: Input should be a valid list"),
        ("stop", {"paths": []}, "paths: "),
        ("tell", {"path": "", "message": "x"}, "a path is missing"),
        ("tell", {"path": "   ", "message": "x"}, "a path is missing"),
        (
            "tell",
            {"path": "nobody", "message": "x"},
            "no such actor: 'nobody'. `tree` shows all that you reach",
        ),
        ("tell", {"path": "../other", "message": "x"}, "no such actor"),
        ("tell", {"path": "/" * 5000, "message": "x"}, "no such actor"),
        ("spawn", {"template": "worker", "name": ""}, "''"),
        ("spawn", {"template": "worker", "name": "a b"}, "'a b'"),
        ("tell", {"path": "w", "message": {"text": "no tag"}}, 'an object with its tag under "$"'),
        ("tell", {"path": "w", "message": {"$": 5}}, 'an object with its tag under "$"'),
        (
            "tell",
            {"path": "w", "message": {"$": "os.system", "command": "ls"}},
            "messages with the tag 'os.system' do not pass here. Besides text these pass: mcp-tests.Add",
        ),
        ("ask", {"path": "w", "message": {"$": "mcp-tests.Add", "one": 1}}, "a wrong mcp-tests.Add: "),
        ("ask", {"path": "w", "message": add(1, 2) | {"three": 3}}, "three"),
        ("ask", {"path": "w", "message": add(1, 2) | {"one": "1"}}, "expected int, not '1'"),
        ("ask", {"path": "w", "message": {"$": "mcp-tests.Note", "text": "x"}}, "is told, and has no reply"),
        ("reply", {"id": 99, "value": 1}, "no message 99 of yours waits for a reply"),
        ("ticket", {"id": "none"}, "no ticket 'none' is yours"),
        ("post", {"path": "w", "message": "x", "max_attempts": 0}, "max_attempts: "),
        ("post", {"path": "w", "message": "x", "priority": 2**70}, "priority"),
    ],
)
async def test_a_mistake_is_one_line_with_its_cure(
    autojump_clock: MockClock, mode: str, tool: str, arguments: dict[str, Any], said: str
) -> None:
    """Whatever it is; and the next call is carried out."""
    async with a_talk(mode=mode) as (_, talk):
        await talk("spawn", template="worker", name="w")
        text = await talk.error(tool, **arguments)
        assert said in text
        assert "\n" not in text
        assert "Traceback" not in text
        assert (await talk("ask", path="w", message="you"))["reply"] == "hello, you"


async def test_the_fields_of_a_message_are_named_where_it_is_wrong(autojump_clock: MockClock) -> None:
    """As a client may write it."""
    async with a_talk() as (_, talk):
        await talk("spawn", template="worker", name="w")
        said = await talk.error("ask", path="w", message={"$": "mcp-tests.Add", "one": 1, "two": 2})
        assert '{"$": "mcp-tests.Add", "one": int, "other": int}: Ask for a sum.' in said
        assert "two" in said
        listed = {tool.name: tool for tool in (await talk.client.list_tools()).tools}
        assert '{"$": "mcp-tests.Note", "text": str} (told, not asked)' in (listed["tell"].description or "")


async def test_a_message_that_is_gone_or_has_failed_is_an_error_of_the_call(
    autojump_clock: MockClock,
) -> None:
    """With the kind of it first."""
    async with a_talk() as (_, talk):
        await talk("spawn", template="worker", name="w")
        assert (await talk.error("ask", path="w", message="fail")).startswith("ActorFailed: ")
        await talk("stop", paths=["w"])
        assert "no such actor" in await talk.error("ask", path="w", message="x")


async def test_a_fault_of_ours_is_logged_and_not_shown(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The session goes on."""

    def broken(self: actors.System) -> actors.TreeNode:
        raise RuntimeError("a secret of the house")

    async with a_talk() as (_, talk):
        with monkeypatch.context() as patch, caplog.at_level(logging.ERROR, "actors.mcp"):
            patch.setattr(actors.System, "tree", broken)
            said = await talk.error("tree")
        assert said.startswith("an internal fault")
        assert "secret" not in said
        assert "a secret of the house" in caplog.text
        assert (await talk("tree"))["you"] == "/agents/coder"


async def test_a_value_that_cannot_be_read_is_no_reply(autojump_clock: MockClock) -> None:
    """The message waits for a better one."""
    async with a_talk() as (system, talk):
        agent = system.find("/agents/coder")
        assert agent is not None
        pending = agent.request(actors.Text("?"))
        [letter] = (await talk("messages", wait=1))["messages"]
        said = await talk.error("reply", id=letter["id"], value={"$": "no.such.Class"})
        assert "no message class with the tag 'no.such.Class'" in said
        await talk("reply", id=letter["id"], value={"$tuple": [1, 2]})
        assert await pending.wait() == (1, 2)


async def test_a_value_that_is_too_deep_is_refused(autojump_clock: MockClock) -> None:
    """Over no wire, as a wire refuses it before."""
    deep: list[Any] = []
    for _ in range(3000):
        deep = [deep]
    async with actors.open_system("town") as system:
        values = build_server(system, a_gate()).house.values
        with pytest.raises(ToolFault, match="too deep"):
            values.given(deep)
        assert values.out(deep).keys() == {"$repr"}


async def test_every_tool_has_a_schema_a_title_and_words(autojump_clock: MockClock) -> None:
    """Each argument is described; nothing else is taken; what only looks says so."""
    reading = {"children", "peers", "pending_requests", "tree", "wait_ready", "why"}
    destroying = {"answer", "interrupt", "stop"}
    async with a_talk(a_gate(people=True, adopt=True)) as (_, talk):
        tools = (await talk.client.list_tools()).tools
        assert [tool.name for tool in tools] == list(actors.mcp.gate.TOOLS)  # type: ignore[attr-defined]
        for tool in tools:
            assert tool.description
            assert tool.title
            assert tool.input_schema["additionalProperties"] is False
            assert tool.output_schema is not None
            for name, schema in tool.input_schema["properties"].items():
                assert schema.get("description"), f"{tool.name}.{name}"
            assert tool.annotations is not None
            assert tool.annotations.read_only_hint is (tool.name in reading)
            assert tool.annotations.destructive_hint is (tool.name in destroying)


async def test_a_gate_may_have_few_tools(autojump_clock: MockClock) -> None:
    """The others are not listed, and cannot be called."""
    async with a_talk(a_gate(tools=["tree", "tell"])) as (_, talk):
        assert [tool.name for tool in (await talk.client.list_tools()).tools] == ["tell", "tree"]
        assert "the tools are tell, tree" in await talk.error("spawn", template="worker")


async def test_a_whole_system_may_be_closed_to_a_gate(autojump_clock: MockClock) -> None:
    """Without templates nothing can be spawned, without messages only text is said."""
    async with a_talk(Gate()) as (_, talk):
        assert "this gate has no templates" in await talk.error("spawn", template="worker")
        assert "Text alone passes" in await talk.error("tell", path="/agents", message=add(1, 2))


async def test_a_server_is_of_a_gate(autojump_clock: MockClock) -> None:
    """Of nothing else; and its messages have to be there."""
    async with actors.open_system("town") as system:
        with pytest.raises(TypeError, match=r"write actors\.mcp\.Gate"):
            build_server(system, {"templates": {}})  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="no message class with the tag 'gone'"):
            build_server(system, Gate(messages=["gone"]))


async def test_the_root_logger_is_left_as_it_is(autojump_clock: MockClock) -> None:
    """Whoever has a server in their program has their own logging."""
    root = logging.getLogger()
    before = list(root.handlers), root.level
    for handler in before[0]:
        root.removeHandler(handler)
    try:
        async with actors.open_system("town") as system:
            build_server(system, Gate())
            assert root.handlers == []
            assert root.level == before[1]
    finally:
        for handler in before[0]:
            root.addHandler(handler)


async def test_many_mistakes_at_the_same_time_are_told_apart(autojump_clock: MockClock) -> None:
    """Each call gets its own answer."""
    async with a_talk(mode="legacy") as (_, talk):
        await talk("spawn", template="worker", name="w")
        answers: dict[int, str] = {}

        async def one(number: int) -> None:
            if number % 2:
                answers[number] = await talk.error("tell", path=f"nobody-{number}", message="x")
            else:
                answers[number] = (await talk("ask", path="w", message=f"{number}"))["reply"]

        async with trio.open_nursery() as nursery:
            for number in range(20):
                nursery.start_soon(one, number)
        for number, text in answers.items():
            assert (f"'nobody-{number}'" if number % 2 else f"hello, {number}") in text
