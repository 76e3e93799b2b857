"""What a command line can get wrong, and the parts of it that several commands read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from actors.remote.jsontext import BadFrame, parse

__all__ = ["Misused", "read_message", "read_token"]


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
    try:
        coded = parse(text)
        json.dumps(coded, ensure_ascii=False).encode()
    except BadFrame as error:
        raise Misused(f"the message is {error}") from None
    except UnicodeEncodeError as error:
        raise Misused(f"the message is no text: {error}") from None
    tag: object = cast("dict[str, Any]", coded).get("$") if isinstance(coded, dict) else None
    if not isinstance(tag, str):
        raise Misused('the message is an object with its tag under "$": {"$": "shop.Price", "item": "tea"}')
    return cast("dict[str, Any]", coded)
