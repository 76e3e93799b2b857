"""Tools that start actors: spawn, wait_ready."""

from __future__ import annotations

from contextvars import Context as Variables
from secrets import token_hex
from typing import TYPE_CHECKING, Annotated, Any, Final

import trio
from pydantic import Field
from typing_extensions import TypedDict

from actors.core.scope import CURRENT
from actors.errors import CooldownActive
from actors.mcp.faults import ToolFault, refusing
from actors.mcp.tool import Call, Tool
from actors.mcp.tools.looking import seen
from actors.mcp.tools.shapes import Paths, Seconds, Seen
from actors.names import join
from actors.spawning.spawner import Spawner
from actors.supervision.supervisor import Supervisor

if TYPE_CHECKING:
    from actors.core.ref import Ref
    from actors.mcp.gate import Offer
    from actors.spawning.template import Template

__all__ = ["GROWTH"]

_PATIENCE: Final = 1.0
"""A cooldown of so many seconds is waited for; a longer one is said."""


class Readiness(TypedDict):
    """Which are ready."""

    ready: list[str]
    failed: Annotated[dict[str, str], Field(description="Those that never will be, with the reason.")]
    late: Annotated[list[str], Field(description="Those that were not ready in time; they may be later.")]


async def spawn(
    call: Call,
    template: Annotated[str, Field(description="What to spawn from.")],
    name: Annotated[
        str | None,
        Field(description="Its name: letters, digits, dot, dash, underscore. Unique among your children."),
    ] = None,
    config: Annotated[
        dict[str, Any] | None, Field(description="Values of parameters that the template lets you set.")
    ] = None,
    wait: Annotated[bool, Field(description="Return when it is ready; false: at once.")] = True,
    timeout: Seconds = None,
    adopt: Annotated[bool, Field(description="It becomes a child of your parent, and outlives you.")] = False,
) -> Seen:
    """Start an actor from a template, as your child, and return when it is ready.

    Several calls at once run side by side. When the start fails, or `timeout` seconds pass, nothing of it is
    left. A refusal says after how many seconds (retry_after) to try again, if that helps.
    """
    offer = call.house.gate.templates.get(template)
    if offer is None:
        names = ", ".join(sorted(call.house.gate.templates))
        may = f"the templates are {names}" if names else "this gate has no templates"
        raise ToolFault(f"you may not spawn from {template!r:.100}: {may}")
    chosen = _specialised(template, offer, config or {})
    if not adopt:
        return seen(await _begun(call, call.agent.spawner, offer, chosen, name, wait, timeout))
    spawner = _adopting(call)
    name = f"{template}-{token_hex(4)}" if name is None else name
    path = join(call.agent.ctx.parent.path, name)
    is_new = call.house.system.find(path) is None and call.house.kin.add(path)  # it may ask in its start
    try:
        ref = await _begun(call, spawner, offer, chosen, name, wait, timeout)
    except BaseException:
        if is_new:
            call.house.kin.discard(path)
        raise
    call.house.kin.add(ref.path)
    call.agent.adopt(ref)
    return seen(ref)


async def _begun(
    call: Call,
    spawner: Spawner,
    offer: Offer,
    chosen: Template,
    name: str | None,
    wait: bool,
    timeout: float | None,
) -> Ref:
    ref: Ref | None = None
    with (
        trio.move_on_after(float("inf") if timeout is None else timeout) as scope,
        refusing(ValueError, TypeError),
    ):
        if not wait:
            ref = await _spawned(spawner, chosen, name)
        elif spawner.cooldown_remaining(chosen) <= _PATIENCE:
            ref = await spawner.wait_spawn(chosen, name=name)
        else:
            ref = await spawner.start(chosen, name=name)
    if ref is None:
        assert scope.cancelled_caught
        raise ToolFault(
            f"it was not ready within {timeout:g} s, and nothing of it is left: allow it more time"
        )
    if offer.text is not None:
        call.house.texts[ref] = offer.text
    return ref


async def _spawned(spawner: Spawner, template: Template, name: str | None) -> Ref:
    """A child that may not be ready yet; a short cooldown is waited for."""
    await trio.lowlevel.checkpoint()
    while True:
        try:
            return spawner.spawn(template, name=name)
        except CooldownActive as cooldown:
            if cooldown.retry_after > _PATIENCE:
                raise
            await trio.sleep(cooldown.retry_after)


def _specialised(name: str, offer: Offer, config: dict[str, Any]) -> Template:
    for key in config:
        if key not in offer.keys:
            may = f"you may set {', '.join(offer.keys)}" if offer.keys else "you may set none"
            raise ToolFault(f"the parameter {key!r:.100} of {name} is not yours to set: {may}")
    return offer.template.overlaid(config)


def _adopting(call: Call) -> Spawner:
    """The spawner of all that are adopted through this gate: one, whichever agent spawns."""
    if not call.house.gate.adopt:
        raise ToolFault("this gate adopts nothing: spawn without adopt, and it ends with you")
    cell = call.agent.ctx.parent.cell
    actor = cell.actor
    if not isinstance(actor, Supervisor):
        raise ToolFault(f"{cell.path} adopts nothing: spawn without adopt")

    def make() -> Spawner:
        CURRENT.set(cell)  # it is kept with the parent, and outlives its agents
        return Spawner(actor, call.house.gate.limits, name=call.house.adopts_as)

    return Variables().run(make)


async def wait_ready(call: Call, paths: Paths, timeout: Seconds = None) -> Readiness:
    """Wait until all these actors are ready, have failed to start, or are late. One that is busy is ready."""
    refs = [call.house.find(path) for path in paths]
    done = Readiness(ready=[], failed={}, late=[])
    settled = 0
    with trio.move_on_after(float("inf") if timeout is None else timeout):
        async for step in call.house.system.spawning(refs):
            settled += 1
            if step.error is None:
                done["ready"].append(step.ref.path)
            else:
                done["failed"][step.ref.path] = str(step.error)
            await call.report(
                settled, len(refs), f"{step.ref.path} {'is ready' if step.error is None else 'has failed'}"
            )
    done["late"] = [
        one.path for one in refs if one.path not in done["ready"] and one.path not in done["failed"]
    ]
    return done


GROWTH = (
    Tool(spawn, title="Spawn an actor"),
    Tool(wait_ready, title="Wait until ready", reads=True),
)
