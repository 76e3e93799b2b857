"""The tokens of `[mcp.tokens]`: read where a file says that they are, when clients come over HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from actors.cli.mcp.spec import McpSpec, TokenSpec
from actors.cli.strict import Fault
from actors.cli.team import Place
from actors.cli.what import Surroundings

__all__ = ["secret_faults", "secrets_of", "without_secrets"]


def secrets_of(spec: McpSpec, place: Place, surroundings: Surroundings) -> dict[str, str]:
    """The token of each table, by its name. Raises ValueError for what `secret_faults` tells of."""
    return {name: _secret(one, place, surroundings) for name, one in spec.tokens.items()}


def secret_faults(spec: McpSpec, place: Place, surroundings: Surroundings) -> Iterator[Fault]:
    """Every token that is not there, and that is one with another. No text has a token in it."""
    owners: dict[str, str] = {}
    for name, one in spec.tokens.items():
        here = place.at(f"tokens.{name}")
        try:
            secret = _secret(one, place, surroundings)
        except ValueError as error:
            yield here.at("token_file" if one.token_env is None else "token_env").fault(str(error))
            continue
        other = owners.setdefault(secret, name)
        if other != name:
            yield here.fault(f"its token is that of {other!r}, and nobody could tell them apart: change one")


def without_secrets(spec: McpSpec, own: str, surroundings: Surroundings) -> Surroundings:
    """Without the variables of tokens, `own` too: programs of one agent are not to speak as another."""
    if not spec.tokens:
        return surroundings
    secret = {own, *(one.token_env for one in spec.tokens.values())}
    left = {key: value for key, value in surroundings.environ.items() if key not in secret}
    return attrs.evolve(surroundings, environ=left)


def _secret(spec: TokenSpec, place: Place, surroundings: Surroundings) -> str:
    if spec.token_env is not None:
        secret = surroundings.environ.get(spec.token_env, "").strip()
        if not secret:
            raise ValueError(f"there is no variable {spec.token_env}, or it is empty: set it to the token")
        return secret
    file = place.file.parent.absolute() / (spec.token_file or "")
    try:
        secret = file.read_text().strip()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise ValueError(f"{file}: {why}: write the token into it") from None
    if not secret:
        raise ValueError(f"{file} is empty: write the token into it")
    return secret
