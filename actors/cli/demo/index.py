"""An index of words as plain data: made from texts, merged from shares, and drawn."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

__all__ = ["Index", "count", "draw", "dump", "load", "merge", "share", "top"]

Index: TypeAlias = Mapping[str, Mapping[str, int]]
"""File → word → how often."""

_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_TOP_LENGTH = 5
"""Shorter words are in the index, but say too little to be among the top terms."""
_FILES_SHOWN = 3


def share(files: Sequence[str], number: int, of: int) -> list[str]:
    """The files that worker `number` of `of` (from 1) reads: every file is in exactly one share."""
    return list(files[number - 1 :: of])


def count(text: str) -> dict[str, int]:
    """The words of a text in lower case, and how often each stands there."""
    return dict(Counter(word.lower() for word in _WORD.findall(text)))


def dump(index: Index) -> str:
    """An index as JSON."""
    return json.dumps(index)


def load(data: bytes) -> Index:
    """What `dump` wrote. Raises ValueError for anything else."""
    return json.loads(data)


def merge(shares: Iterable[Index]) -> dict[str, dict[str, int]]:
    """One index, word → file → how often, files in order."""
    found: dict[str, dict[str, int]] = {}
    for index in shares:
        for file, words in index.items():
            for word, times in words.items():
                found.setdefault(word, {})[file] = times
    return {word: dict(sorted(files.items())) for word, files in sorted(found.items())}


def top(words: Mapping[str, Mapping[str, int]], limit: int) -> list[str]:
    """The longer words that stand there most often; the alphabet decides between equals."""
    longer = (word for word in words if len(word) >= _TOP_LENGTH)
    return sorted(longer, key=lambda word: (-sum(words[word].values()), word))[:limit]


def draw(words: Mapping[str, Mapping[str, int]], files: int, limit: int = 10) -> str:
    """What the index has, and its top terms with the files where they stand most often."""
    total = sum(sum(places.values()) for places in words.values())
    lines = [f"index: {files} files, {total} words, {len(words)} of them different", ""]
    width = max((len(word) for word in top(words, limit)), default=0)
    for word in top(words, limit):
        places = words[word]
        lines.append(f"{word:<{width}} {sum(places.values()):>6} times, files {len(places)}: {_most(places)}")
    return "\n".join(lines)


def _most(places: Mapping[str, int]) -> str:
    most = sorted(places, key=lambda file: (-places[file], file))[:_FILES_SHOWN]
    more = "" if len(places) <= _FILES_SHOWN else ", …"
    return ", ".join(f"{file} {places[file]}" for file in most) + more
