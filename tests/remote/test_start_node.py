"""Nodes in processes of their own: started, supervised, and never left behind."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

import actors
from actors import ExitKind, LinkState
from actors.events import Failed, NodeUp, Restarted
from actors.process import Command
from tests.remote.host import PATIENCE, ROOT, until_dead

pytestmark = pytest.mark.timeout(90)


@actors.message(tag="test.start_node.Pid")
class Pid(actors.Request[int]):
    pass


@actors.message(tag="test.start_node.Do")
class Do(actors.Request[str]):
    what: str


class Worker(actors.Actor):
    """Says where it runs, and does what processes should not."""

    @actors.receive
    async def pid(self, message: Pid) -> int:
        return os.getpid()

    @actors.receive
    async def do(self, message: Do) -> str:
        if message.what == "print":
            print("x" * 1_000_000)
        elif message.what == "read":
            return repr(sys.stdin.read())
        elif message.what == "exit":
            os._exit(3)
        elif message.what == "stand still":
            time.sleep(1000)  # noqa: ASYNC251 - this is the point
        elif message.what == "compute":
            began = time.process_time()
            while time.process_time() - began < 0.5:
                math.factorial(1000)
        return "done"


CHILD = actors.Policy(breaker=None, backoff=actors.Backoff.fixed(0.5))


def keeper(system: actors.System, name: str) -> actors.Ref:
    ref = system.find(f"/system/links/node-{name}")
    assert ref is not None
    return ref


async def until_linked_anew(events: actors.Subscription, name: str) -> None:
    with trio.fail_after(PATIENCE):
        async for event in events:
            if isinstance(event, NodeUp) and event.node == name:
                return


# --- what it is for -----------------------------------------------------------------------


async def test_children_run_in_processes_of_their_own_at_the_same_time() -> None:
    """Each has another pid, and all work at once."""
    async with actors.open_system("alpha", spawnable=[Worker]) as alpha:
        pids: dict[str, int] = {}

        async def one(name: str) -> None:
            peer = await alpha.start_node(name)
            assert (peer.name, peer.state) == (name, LinkState.UP)
            child = await alpha.start(Worker, name=f"worker-{name}", on=name)
            pids[name] = await child.ask(Pid(), timeout=PATIENCE)
            assert await child.ask(Do("compute"), timeout=PATIENCE) == "done"

        async with trio.open_nursery() as nursery:
            nursery.start_soon(one, "n1")
            nursery.start_soon(one, "n2")
        assert len({os.getpid(), *pids.values()}) == 3
    for pid in pids.values():
        await until_dead(pid, 1)


async def test_what_an_actor_prints_and_reads_disturbs_nobody() -> None:
    """Its output goes where ours goes, its input is empty: the pipes of the node are not its own."""
    async with actors.open_system("alpha", spawnable=[Worker]) as alpha:
        await alpha.start_node("n1")
        child = await alpha.start(Worker, name="worker", on="n1")
        assert await child.ask(Do("print"), timeout=PATIENCE) == "done"
        assert await child.ask(Do("read"), timeout=PATIENCE) == "''"
        assert await child.ask(Do("print"), timeout=PATIENCE) == "done"


async def test_a_node_may_be_given_less_than_its_starter_has() -> None:
    """Only what is named for it."""
    async with actors.open_system("alpha", spawnable=[Worker]) as alpha:
        await alpha.start_node("n1", spawnable=[])
        with pytest.raises(actors.NotSpawnable):
            alpha.spawn(Worker, name="worker", on="n1")


# --- what cannot begin --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import no_such_thing", "No module named 'no_such_thing'"),
        ("raise RuntimeError('not today')", "not today"),
        ("raise SystemExit(7)", "ended with code 7 before it listened"),
        ("import os; os.abort()", "was ended by signal 6 before it listened"),
        ("", "has no Late when it is imported: define it outside functions"),
    ],
    ids=["import", "error", "exit", "abort", "missing"],
)
async def test_a_module_that_cannot_be_imported_there_fails_the_start(
    text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the reason, plainly, and nothing stays."""
    monkeypatch.syspath_prepend(str(tmp_path))
    name = f"late_{abs(hash((text, os.getpid())))}"
    (tmp_path / f"{name}.py").write_text(text)
    late = type("Late", (actors.Actor,), {"__module__": name})
    async with actors.open_system("alpha") as alpha:
        with pytest.raises(actors.StartFailed, match=r"cannot begin|before it listened") as failed:
            await alpha.start_node("n1", spawnable=[late])
        assert said in str(failed.value)
        assert not isinstance(failed.value.error, BaseExceptionGroup)
        assert alpha.nodes == ()
        await alpha.start_node("n1", spawnable=[])


async def test_a_name_is_taken_once() -> None:
    """By another process, or by this node itself."""
    async with actors.open_system("alpha") as alpha:
        await alpha.start_node("n1")
        with pytest.raises(actors.NameTaken):
            await alpha.start_node("n1")
        with pytest.raises(actors.InvalidName):
            await alpha.start_node("not a name")
        with pytest.raises(ValueError, match="own name"):
            await alpha.start_node("alpha")


async def test_the_name_of_a_node_that_is_linked_by_hand_is_taken_too() -> None:
    """The start fails, and the link that stands goes on."""
    async with actors.open_system("beta") as beta, actors.open_system("alpha") as alpha:
        listener = await beta.listen("127.0.0.1", 0)
        peer = await alpha.connect(listener.url)
        with pytest.raises(actors.StartFailed, match="beta"):
            await alpha.start_node("beta")
        assert peer.state is LinkState.UP
        assert await peer.find("/") is not None


async def test_a_start_that_is_cancelled_leaves_no_process() -> None:
    """And the name is free."""
    async with actors.open_system("alpha") as alpha:
        with trio.move_on_after(0.1):
            await alpha.start_node("n1")
        await alpha.start_node("n1")


# --- what ends ----------------------------------------------------------------------------


WHY = {
    "killed": "was ended by signal 9",
    "exits": "ended with code 3",
    "paused": "does not answer: no connection",
}


@pytest.mark.parametrize("how", WHY)
async def test_a_process_that_ends_or_stands_still_is_started_anew_and_its_children_come_back(
    how: str,
) -> None:
    """Same names, same refs, another process; nothing of the old one stays."""
    async with (
        actors.open_system("alpha", spawnable=[Worker], lease=1.5) as alpha,
        alpha.subscribe(Restarted, NodeUp) as events,
        alpha.subscribe(Failed) as failures,
    ):
        await alpha.start_node("n1")
        policy = actors.Policy(breaker=None, backoff=actors.Backoff.fixed(0.8))
        child = await alpha.start(Worker, name="worker", on="n1", policy=policy)
        kept = keeper(alpha, "n1")
        pid = await child.ask(Pid(), timeout=PATIENCE)
        await until_linked_anew(events, "n1")
        if how == "exits":
            child.tell(Do("exit"))
        else:
            os.kill(pid, signal.SIGKILL if how == "killed" else signal.SIGSTOP)
        await until_dead(pid, 6)
        with trio.fail_after(PATIENCE):
            async for event in events:
                if isinstance(event, Restarted) and event.ref == child:
                    break
        again = await child.ask(Pid(), timeout=PATIENCE)
        assert again != pid
        assert kept.state is not actors.ActorState.STOPPED
        async for failure in failures:
            if failure.ref == kept:
                error = failure.exit.error
                assert type(error).__name__ == "NodeProcessEnded"  # plain, and no group
                assert WHY[how] in str(error)
                break
    await until_dead(again, 1)


async def test_a_temporary_child_of_a_process_that_is_killed_ends_as_node_down_at_once() -> None:
    """The end of a process of ours is a fact: no lease is waited for."""
    async with actors.open_system("alpha", spawnable=[Worker], lease=60) as alpha:
        await alpha.start_node("n1")
        policy = actors.Policy(restart="temporary", breaker=None)
        child = await alpha.start(Worker, name="worker", on="n1", policy=policy)
        os.kill(await child.ask(Pid(), timeout=PATIENCE), signal.SIGKILL)
        with trio.fail_after(5):
            exit = await child.wait_stopped()
        assert exit.kind is ExitKind.NODE_DOWN
        assert "signal 9" in str(exit.error)


async def runs_a_program(ctx: actors.Context) -> None:
    """Runs a program that has a session and an environment of its own, and says who it is."""
    put, get = trio.open_memory_channel[int](1)

    def heard(_: str, line: bytes) -> None:
        put.send_nowait(int(line))

    program = ["sh", "-c", "echo $$; exec sleep 1000"]
    ctx.system.spawn(Command(program, env={"PATH": os.environ["PATH"]}, on_output=heard))
    pid = await get.receive()
    async for _ in ctx.inbox:
        ctx.reply(pid)


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="there is no /proc")
async def test_what_a_killed_node_process_was_running_is_ended_too() -> None:
    """Nobody else knows of its programs."""
    async with actors.open_system("alpha", spawnable=[Worker, runs_a_program]) as alpha:
        await alpha.start_node("n1")
        worker = await alpha.start(Worker, name="worker", on="n1", policy=CHILD)
        once = actors.Policy(restart="temporary", breaker=None)
        runs = alpha.spawn(runs_a_program, name="runs", on="n1", policy=once)
        program = await runs.ask(Pid(), timeout=PATIENCE)
        os.kill(await worker.ask(Pid(), timeout=PATIENCE), signal.SIGKILL)
        await until_dead(program, PATIENCE)


async def test_a_node_that_is_closed_by_hand_is_not_started_anew() -> None:
    """Its process ends, and its name is free."""
    async with actors.open_system("alpha", spawnable=[Worker]) as alpha:
        peer = await alpha.start_node("n1")
        child = await alpha.start(Worker, name="worker", on="n1", policy=actors.Policy(restart="temporary"))
        pid = await child.ask(Pid(), timeout=PATIENCE)
        kept = keeper(alpha, "n1")
        peer.close()
        with trio.fail_after(PATIENCE):
            await kept.wait_stopped()
        await until_dead(pid, 1)
        assert (await alpha.start_node("n1")).state is LinkState.UP


@pytest.mark.parametrize("how", ["normally", "error", "cancelled"])
async def test_no_process_outlives_the_system(how: str) -> None:
    """However its block is left."""
    pid = 0
    with trio.CancelScope() as scope:
        try:
            async with actors.open_system("alpha", spawnable=[Worker]) as alpha:
                await alpha.start_node("n1")
                child = await alpha.start(Worker, name="worker", on="n1")
                pid = await child.ask(Pid(), timeout=PATIENCE)
                if how == "error":
                    raise RuntimeError("of the body")
                if how == "cancelled":
                    scope.cancel()
                    await trio.sleep_forever()
        except RuntimeError as error:
            assert str(error) == "of the body"  # noqa: PT017 - plain, and no group
    await until_dead(pid, 1)


async def test_a_process_that_is_paused_does_not_keep_its_system_from_closing() -> None:
    async with actors.open_system("alpha", spawnable=[Worker]) as alpha:
        await alpha.start_node("n1")
        child = await alpha.start(Worker, name="worker", on="n1")
        pid = await child.ask(Pid(), timeout=PATIENCE)
        child.stop()
        await child.wait_stopped()
        os.kill(pid, signal.SIGSTOP)
        began = trio.current_time()
    assert trio.current_time() - began < 8  # else it would be killed after ten
    await until_dead(pid, 1)


# --- whole programs -----------------------------------------------------------------------

PROGRAM = """
import os, signal, sys, time
import trio
import actors


@actors.message(tag="script.Pid")
class Pid(actors.Request[int]):
    pass


class Worker(actors.Actor):
    @actors.receive
    async def pid(self, message: Pid) -> int:
        if "still" in sys.argv[1:] + os.environ.get("HOW", "").split():
            print("standing", os.getpid(), flush=True)
            sys.stderr.write(f"standing {os.getpid()}\\n")
            time.sleep(1000)
        return os.getpid()


async def main() -> None:
    async with actors.open_system("alpha", spawnable=[Worker]) as alpha:
        await alpha.start_node("n1")
        child = await alpha.start(Worker, name="worker", on="n1")
        print("pid", await child.ask(Pid(), timeout=30), flush=True)
        if "wait" in os.environ.get("HOW", ""):
            await trio.sleep_forever()


if __name__ == "__main__":
    trio.run(main)
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    return path


def started(script: Path | str, how: str, *more: str, cwd: Path | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(script), *more],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "HOW": how},
    )


@pytest.fixture
def ended() -> Iterator[list[subprocess.Popen[str]]]:
    """Programs that end with the test."""
    programs: list[subprocess.Popen[str]] = []
    yield programs
    for program in programs:
        program.kill()
        program.wait()
        assert program.stdout is not None
        program.stdout.close()


def line(program: subprocess.Popen[str], start: str) -> int:
    """The number in the first line that begins like this."""
    assert program.stdout is not None
    said: list[str] = []
    for text in program.stdout:
        if text.startswith(start + " "):
            return int(text.split()[1])
        said.append(text)
    raise AssertionError("".join(said))


async def test_what_a_script_defines_itself_runs_in_another_process(
    script: Path, ended: list[subprocess.Popen[str]]
) -> None:
    """Below its `if __name__ == "__main__"` nothing runs there."""
    program = started(script, "")
    ended.append(program)
    out, _ = program.communicate(timeout=40)
    assert program.returncode == 0, out
    assert int(out.split()[1]) != program.pid
    assert out.count("pid") == 1


async def test_what_a_module_of_a_package_defines_runs_there_when_it_is_the_program(
    tmp_path: Path, ended: list[subprocess.Popen[str]]
) -> None:
    """Started with `python -m`, its relative imports work there too."""
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "other.py").write_text("NAME = 'worker'\n")
    (package / "program.py").write_text("from .other import NAME\n" + PROGRAM)
    program = started("-m", "", "package.program", cwd=tmp_path)
    ended.append(program)
    out, _ = program.communicate(timeout=40)
    assert program.returncode == 0, out
    assert int(out.split()[1]) != program.pid


async def test_ctrl_c_leaves_no_process(script: Path, ended: list[subprocess.Popen[str]]) -> None:
    """And the program ends as one does that was interrupted."""
    program = started(script, "wait")
    ended.append(program)
    pid = line(program, "pid")
    program.send_signal(signal.SIGINT)
    out, _ = program.communicate(timeout=20)
    assert program.returncode == -signal.SIGINT, out
    assert out.rstrip().endswith("KeyboardInterrupt")
    await until_dead(pid, 1)


@pytest.mark.parametrize("how", ["wait", "still"])
async def test_no_process_outlives_a_program_that_is_killed(
    how: str, script: Path, ended: list[subprocess.Popen[str]]
) -> None:
    """Also not one whose event loop stands still."""
    program = started(script, how)
    ended.append(program)
    pid = line(program, "pid" if how == "wait" else "standing")
    program.kill()
    await until_dead(pid, 15)


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (
            PROGRAM.replace('if __name__ == "__main__":\n    trio.run', "trio.run"),
            'write `if __name__ == "__main__":`',
        ),
        (PROGRAM.replace("class Worker", "if __name__ == '__main__':\n  class Worker"), "define it outside"),
    ],
    ids=["no guard", "behind the guard"],
)
def test_a_program_that_cannot_be_run_for_its_definitions_says_what_to_change(
    program: str, said: str, tmp_path: Path
) -> None:
    """Once, by the process that was started by hand: no other one starts more."""
    (tmp_path / "program.py").write_text(program)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "program.py")],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=40,
        check=False,
    )
    assert done.returncode == 1
    assert "StartFailed" in done.stderr.rstrip().splitlines()[-1]
    assert said in done.stderr.rstrip().splitlines()[-1]


async def test_what_another_process_cannot_find_is_refused_at_once() -> None:
    class Hidden(actors.Actor):
        pass

    async with actors.open_system("alpha") as alpha:
        with pytest.raises(ValueError, match="define it at the top of a module"):
            await alpha.start_node("n1", spawnable=[Hidden])
        with pytest.raises(TypeError, match=r"write spawnable=\[\.\.\.\]"):
            await alpha.start_node("n1", spawnable=Hidden)  # pyright: ignore[reportArgumentType]
        assert alpha.nodes == ()


def test_what_is_defined_at_the_prompt_cannot_go_to_another_process() -> None:
    """The error says so, and what to do."""
    prompt = textwrap.dedent("""
        import trio, actors
        class Worker(actors.Actor):
            pass
        async def main():
            async with actors.open_system("alpha", spawnable=[Worker]) as alpha:
                await alpha.start_node("n1")
        trio.run(main)
    """)
    done = subprocess.run(
        [sys.executable, "-c", prompt],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=40,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.rstrip().endswith("put it in a module")
