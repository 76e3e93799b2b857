"""`actors mcp FILE`: the file's system, and clients at it, over stdio or HTTP. Stdout is the protocol's
alone.
"""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs
import trio

from actors.cli.feed import Picture, Screen
from actors.cli.lines import Fact, Notice, causes
from actors.cli.mcp.gate import CURE, gates_of, is_there
from actors.cli.mcp.tokens import secrets_of, without_secrets
from actors.cli.misuse import Misused, read_token
from actors.cli.plant import plant
from actors.cli.run import Run, Verdict
from actors.cli.screens import LineScreen, write_all
from actors.cli.team import Team
from actors.cli.watched import Watching
from actors.cli.what import Surroundings
from actors.delivery import Store
from actors.errors import InsecureListen
from actors.names import ROOT

if TYPE_CHECKING:
    from actors.mcp import Gate
    from actors.system import System

__all__ = ["TOKEN", "McpOpened", "Way", "serve_team", "way_of"]

TOKEN: Final = "ACTORS_MCP_TOKEN"
"""The variable with the token that clients must know."""


@attrs.frozen(kw_only=True)
class McpOpened(Notice):
    """Clients can connect at `url`; `token` is one that was made up, and that nobody else knows."""

    url: str
    token: str | None = None

    def __str__(self) -> str:
        made = "" if self.token is None else f'\nclients send "Authorization: Bearer {self.token}"'
        return f"MCP at {self.url}{made}"


@attrs.frozen
class Way:
    """How clients come: over stdio, where there is no host."""

    host: str | None = None
    port: int = 0
    token: str | None = None
    made_up: bool = False

    def beside(self, tokens: Mapping[str, Gate]) -> Way:
        """With tokens of the file: none is made up besides, and nobody comes without. Raises `Misused`."""
        if self.host is None or not tokens:
            return self
        if self.token is None:
            raise Misused("--open lets everybody in, and the file has [mcp.tokens]: take one of them out")
        if self.token in tokens:
            raise Misused("the token of the command line is one of [mcp.tokens] too: leave it out there")
        return attrs.evolve(self, token=None, made_up=False) if self.made_up else self

    async def serve(
        self, system: System, gate: Gate, tokens: Mapping[str, Gate], tell: Callable[[Notice], object]
    ) -> None:
        """Serve until the only client has gone, or for ever. A checkpoint. Raises `Misused`."""
        from actors.mcp import serve_stdio, start_mcp

        if self.host is None:
            try:
                await serve_stdio(system, gate)
            except OSError as error:
                raise Misused(f"clients speak through stdin and stdout: {error.strerror or error}") from None
            return
        try:
            given = None if tokens and self.token is None else gate
            server = await start_mcp(system, given, self.host, self.port, token=self.token, tokens=tokens)
        except OSError as error:
            raise Misused(f"--http {self.host}:{self.port}: {error.strerror or error}") from None
        except (InsecureListen, ValueError) as error:
            raise Misused(f"--http {self.host}:{self.port}: {error}") from None
        token = self.token if self.made_up else None
        tell(McpOpened(at=trio.current_time(), path=ROOT, url=server.url, token=token))
        await trio.sleep_forever()


def way_of(http: str | None, token_file: Path | None, from_environment: str | None, *, open: bool) -> Way:
    """What the command line says. Raises `Misused`."""
    if not is_there():
        raise Misused(CURE)
    if http is None:
        for option, given in (("--token-file", token_file is not None), ("--open", open)):
            if given:
                raise Misused(f"{option} goes with --http alone: over stdio the one client starts this")
        return Way()
    host, _, port = http.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise Misused(f"--http takes HOST:PORT, not {http!r}: write 127.0.0.1:8000, port 0 for any")
    if open and token_file is not None:
        raise Misused("--open and --token-file do not go together: give one of them")
    if open:
        return Way(host.strip("[]"), int(port))
    token = read_token(token_file) or (from_environment or "").strip()
    return Way(host.strip("[]"), int(port), token or secrets.token_urlsafe(24), made_up=not token)


class Serving(Run):
    """A run that lasts as long as there are clients to come."""

    def __init__(
        self,
        team: Team,
        way: Way,
        gate: Gate,
        tokens: Mapping[str, Gate],
        store: Store,
        watched: Watching | None,
    ) -> None:
        super().__init__(team, lambda system, team: False, None, store=store, watched=watched)
        self._way = way
        self._gate = gate
        self._tokens = tokens

    async def _until_over(self, system: System, surroundings: Surroundings) -> None:
        plant(system, self._team.children, surroundings)
        await self._way.serve(system, self._gate, self._tokens, self._feed.put)

    async def _show(self, screen: Screen) -> None:
        """When nobody reads its stderr any more, clients still want to be served."""
        await self._feed.show(screen, self._look)


class Notices(LineScreen):
    """Without `verbose` only what the program itself has to say."""

    def __init__(self, since: float, *, verbose: bool) -> None:
        super().__init__(sys.stderr, since, json=False)
        self._verbose = verbose

    def compose(self, facts: Sequence[Fact], look: Callable[[], Picture]) -> str:
        """The lines."""
        return super().compose([one for one in facts if self._verbose or isinstance(one, Notice)], look)

    def write(self, composed: str) -> None:
        """Write them."""
        if composed:
            super().write(composed)


def serve_team(
    team: Team, surroundings: Surroundings, way: Way, store: Store, watched: Watching | None, *, verbose: bool
) -> Verdict:
    """Serve until the end. Raises `Misused` where the file has no table [mcp]."""
    if team.mcp is None:
        raise Misused(f"{team.place.file} has no table [mcp]: say there what clients may do")
    here = team.place.at("mcp")
    secrets = {} if way.host is None else secrets_of(team.mcp, here, surroundings)
    surroundings = without_secrets(team.mcp, TOKEN, surroundings)
    gate, gates = gates_of(team.mcp, here, surroundings)
    tokens = {secret: gates[name] for name, secret in secrets.items()}
    way = way.beside(tokens)

    async def run() -> Verdict:
        serving = Serving(team, way, gate, tokens, store, watched)
        return await serving.run(surroundings, Notices(serving.since, verbose=verbose))

    verdict = trio.run(run)
    if verdict.error is not None:
        first, *rest = causes(verdict.error)
        write_all(sys.stderr, "".join([f"{first}\n", *(f"because: {line}\n" for line in rest)]))
    return verdict
