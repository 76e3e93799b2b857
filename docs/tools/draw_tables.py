"""Write the state tables of the code into `docs/design.md`: `python docs/tools/draw_tables.py`.

With `--check` nothing is written, and the exit code is 1 when the page has drifted.
"""

from __future__ import annotations

import enum
import pathlib
import sys
from collections.abc import Mapping

from actors.core import lifecycle
from actors.delivery import ticket
from actors.supervision import breaker

PAGE = pathlib.Path(__file__).parents[1] / "design.md"


class Named:
    """A state that is more than a member of an enum."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Named) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)


def standing(state: ticket.TicketState, working: bool) -> Named:
    """A ticket that has timed out may still be worked on; one that is delivered always is."""
    at_work = working and state is not ticket.TicketState.DELIVERED
    return Named(f"{state.name}, at work" if at_work else state.name)


Table = Mapping[tuple[Named | enum.Enum, enum.Enum], Named | enum.Enum]
TABLES: dict[str, Table] = {
    "lifecycle": lifecycle.TABLE,
    "breaker": breaker.TABLE,
    "ticket": {
        (standing(state, working), move): standing(*after)
        for (state, working, move), after in ticket.MOVES.items()
    },
}


def draw(table: Table) -> str:
    """A table in Markdown: states down, signals across, what follows inside."""
    states = list(dict.fromkeys([*(state for state, _ in table), *table.values()]))
    signals = list(dict.fromkeys(signal for _, signal in table))
    lines = [
        "| in | " + " | ".join(signal.name for signal in signals) + " |",
        "|---" * (len(signals) + 1) + "|",
    ]
    for state in states:
        cells = (table.get((state, signal)) for signal in signals)
        lines.append(f"| {state.name} | " + " | ".join("" if to is None else to.name for to in cells) + " |")
    return "\n".join(lines)


def drawn(page: str) -> str:
    """The page with every table drawn anew between its marks."""
    for name, table in TABLES.items():
        begin, end = f"<!-- table: {name} -->", f"<!-- end: {name} -->"
        before, _, rest = page.partition(begin)
        _, found, after = rest.partition(end)
        if not found:
            raise ValueError(f"{PAGE.name} has no place for the table {name!r}: write {begin} and {end}")
        page = f"{before}{begin}\n\n{draw(table)}\n\n{end}{after}"
    return page


def main() -> int:
    """Write, or check."""
    page = PAGE.read_text()
    new = drawn(page)
    if "--check" in sys.argv:
        return int(new != page)
    PAGE.write_text(new)
    return 0


if __name__ == "__main__":
    sys.exit(main())
