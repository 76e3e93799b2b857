"""What a command line can get wrong, and the parts of it that several commands read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from actors.messages import Request, Text
from actors.remote.codec import Raw
from actors.remote.jsontext import BadFrame, parse

__all__ = ["Misused", "read_message", "read_request", "read_token"]


class Misused(Exception):
    """The command line cannot be used; the text says why."""


def read_token(file: Path | None) -> str | None:
    """The token in a file, without the end of its line. Raises `Misused`."""
    if file is None:
        return None
    try:
        token = file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Misused(f"--token-file {file}: {getattr(error, 'strerror', None) or error}") from None
    if not token:
        raise Misused(f"--token-file {file} is empty: write a token into it")
    return token


def read_message(text: str) -> dict[str, Any]:
    """A message as JSON: an object with its tag. Raises `Misused`."""
    return _tagged(_json(text), '{"$": "shop.Price", "item": "tea"}')


def read_request(text: str) -> Request[Any]:
    """What is asked: a message as JSON, or a text as JSON. Raises `Misused`."""
    coded = _json(text)
    if isinstance(coded, str):
        return Text(coded)
    return Raw(_tagged(coded, """{"$": "shop.Price", "item": "tea"}, or a text in quotes: '"tea"'"""))


def _json(text: str) -> Any:
    try:
        coded = parse(text)
        json.dumps(coded, ensure_ascii=False).encode()
    except BadFrame as error:
        raise Misused(f"the message is {error}") from None
    except UnicodeEncodeError as error:
        raise Misused(f"the message is no text: {error}") from None
    return coded


def _tagged(coded: Any, shape: str) -> dict[str, Any]:
    tag: object = cast("dict[str, Any]", coded).get("$") if isinstance(coded, dict) else None
    if not isinstance(tag, str):
        raise Misused(f'the message is an object with its tag under "$": {shape}')
    return cast("dict[str, Any]", coded)
