"""What is asked of a spawner, worked out before anybody answers: of what, how deep, under which name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import attrs

from actors.core.cell import Cell
from actors.core.ref import Ref
from actors.errors import InvalidTemplate, NotAChild
from actors.spawning.book import Book, Bound, bounds_of
from actors.spawning.history import SpawnRequest
from actors.spawning.template import Template, as_template, definition_of
from actors.spawning.triggers import SpawnTrigger

if TYPE_CHECKING:
    from actors.supervision.family import Family

__all__ = ["Plan", "Planner", "all_above", "as_trigger"]

_MADE_UP: Final = re.compile(r"_(spawn|clone)_[0-9a-f]{8}$")
_STEM: Final = 110
"""So many characters of it leave room for what is put behind."""
_MOST_SHARED: Final = 99
"""With the child itself, no limits allow more."""


@attrs.frozen
class Plan:
    """A spawn that is asked for: everything but the answer."""

    request: SpawnRequest
    definition: Template
    above: tuple[Bound, ...]
    on: str | None
    slots: int

    @property
    def key(self) -> Template:
        """What counts as the same template for a cooldown: where it was specialised from."""
        return self.request.template.root


@attrs.frozen(eq=False)
class Planner:
    """Makes the plans of one spawner; changes nothing."""

    family: Family
    book: Book
    maker: tuple[Bound, ...]
    """What bounds the actor that has made the spawner; it binds also when that is gone."""

    def spawn(
        self,
        what: Any,
        name: str | None,
        specialisation: Mapping[str, Any],
        trigger: SpawnTrigger | str,
        on: str | None,
        share: int,
        caller: Cell | None,
    ) -> Plan:
        """One of a template."""
        template = as_template(what)
        why = as_trigger(trigger)
        self._check_share(share, on)
        definition = template.overlaid(specialisation)
        above, depth = self.bounds(caller)
        return Plan(
            SpawnRequest(
                template=template,
                name=self._made_up(template.stem, "spawn") if name is None else name,
                specialisation=MappingProxyType(dict(specialisation)),
                trigger=why,
                origin=None,
                depth=depth,
            ),
            definition,
            above,
            on,
            1 + share,
        )

    def clone(
        self,
        ref: Ref,
        name: str | None,
        modifications: Mapping[str, Any],
        trigger: SpawnTrigger | str,
        caller: Cell | None,
    ) -> Plan:
        """One like a child; nothing but its record is asked, where there is one."""
        why = as_trigger(trigger)
        above, depth = self.bounds(caller)
        record = self.book.history.get(ref) if isinstance(ref, Ref) else None  # pyright: ignore[reportUnnecessaryIsInstance]
        if record is None:
            template = origin = self._definition(ref)
            stem = ref.name
            depth += 1
        else:
            template, origin = record.template, record.definition
            stem = template.stem or ref.name
            depth = max(depth, record.depth + 1)
        definition = origin.overlaid(modifications)
        return Plan(
            SpawnRequest(
                template=template,
                name=self._made_up(stem, "clone") if name is None else name,
                specialisation=MappingProxyType(dict(modifications)),
                trigger=why,
                origin=ref,
                depth=depth,
            ),
            definition,
            above,
            on=None if ref.node == self.family.kernel.name else ref.node,
            slots=1,
        )

    def bounds(self, caller: Cell | None) -> tuple[tuple[Bound, ...], int]:
        """What is above its own limits, and the depth of what it spawns."""
        nearest = [*bounds_of(self.family), *self.maker, *bounds_of(caller)]
        own = self.book.admission
        above = {id(one.admission): one for one in all_above(nearest) if one.admission is not own}
        return tuple(above.values()), max((bound.depth + 1 for bound in nearest), default=0)

    def hexes(self) -> str:
        """Eight hexadecimal digits."""
        return f"{self.family.kernel.random.getrandbits(32):08x}"

    def _check_share(self, share: int, on: str | None) -> None:
        if isinstance(share, bool) or not isinstance(share, int) or not 0 <= share <= _MOST_SHARED:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ValueError(f"share must be a whole number of slots from 0 to {_MOST_SHARED}, not {share!r}")
        if share and (on is None or on == self.family.kernel.name):
            raise ValueError("share goes with on=: what is spawned on this node shares all slots anyway")

    def _definition(self, ref: Ref) -> Template:
        """That of a living child that was spawned otherwise."""
        cell = ref.cell if isinstance(ref, Ref) else None  # pyright: ignore[reportUnnecessaryIsInstance]
        is_here = isinstance(cell, Cell) and not cell.is_gone and cell.parent is self.family
        if cell is None or not is_here:
            raise NotAChild(ref, self.family.path)
        if cell.node != cell.kernel.name:
            raise InvalidTemplate(
                f"{cell.path} runs on another node: only what this spawner has put there is cloned"
            )
        return definition_of(cell)

    def _made_up(self, stem: str | None, how: str) -> str | None:
        """A name that no living child has; None for what has no name."""
        if stem is None:
            return None
        stem = _MADE_UP.sub("", stem)[:_STEM]
        while (name := f"{stem}_{how}_{self.hexes()}") in self.family.children:
            pass
        return name


def all_above(bounds: Iterable[Bound]) -> Iterable[Bound]:
    """These, and what bounds those who have spawned them, which is all there in `above`."""
    for bound in bounds:
        yield bound
        yield from bound.above


def as_trigger(trigger: SpawnTrigger | str) -> SpawnTrigger:
    """The trigger of this name; raises ValueError with the known ones."""
    try:
        return SpawnTrigger(trigger)
    except ValueError:
        raise ValueError(f"unknown trigger {trigger!r}: use one of {', '.join(SpawnTrigger)}") from None
