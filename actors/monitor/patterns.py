"""Error patterns in the output of a run, found as it arrives. Pure.

A scanner reads one stream in any portions. What is looked at is lines: complete ones, and
the one that is not ended yet, as it stands. Of a line without an end only the last
`OVERLAP` characters are looked at again, so that the work is linear and the memory flat.
"""

from __future__ import annotations

import codecs
import functools
import re
from collections.abc import Sequence

import attrs

from actors.limits import Pattern
from actors.outcome import FailureKind

__all__ = ["OVERLAP", "TAIL", "Found", "Scanner", "literal_of", "retry_after_in"]

OVERLAP = 1024
"""Characters of an unended line that are looked at again; a longer match may be missed at a border."""
TAIL = 4096
"""Characters of the end of a stream that predicates get."""
_SHOWN = 200
_NEXT_LINES = 5


@attrs.frozen
class Found:
    """A pattern that was found: where, what kind of failure, and when to come back, if the line said so."""

    pattern: str
    line: str
    stream: str
    kind: FailureKind
    retry_after: float | None = None


class Scanner:
    """Looks for patterns in one stream."""

    __slots__ = ("_carry", "_cut", "_decode", "_patterns", "_stream", "tail")

    def __init__(self, stream: str, patterns: Sequence[Pattern]) -> None:
        self._stream = stream
        self._patterns = [
            (pattern, *_compiled(pattern.regex)) for pattern in patterns if pattern.stream in (stream, "both")
        ]
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._carry = ""
        self._cut = False
        self.tail = ""
        """The last `TAIL` characters of the stream."""

    def feed(self, data: bytes) -> Found | None:
        """The first pattern in what has come, or None."""
        text = self._decode(data)
        self.tail = text[-TAIL:] if len(text) >= TAIL else (self.tail + text)[-TAIL:]
        if not self._patterns:
            return None
        window = self._carry + text
        found = self._search(window)
        self._keep(window)
        return found

    def _search(self, window: str) -> Found | None:
        folded = _folded(window)
        suspects = [
            (pattern, regex)
            for pattern, regex, literal in self._patterns
            if literal is None or literal in folded
        ]
        if not suspects:
            return None
        start = 1 if self._cut else 0
        lines = window.split("\n")
        for number, line in enumerate(lines):
            hit = self._search_line(line, start, suspects)
            if hit is not None:
                return hit if hit.retry_after is not None else _with_time(hit, lines[number + 1 :])
            start = 0
        return None

    def _search_line(
        self, line: str, start: int, suspects: Sequence[tuple[Pattern, re.Pattern[str]]]
    ) -> Found | None:
        hits = [(hit.start(), pattern) for pattern, regex in suspects if (hit := regex.search(line, start))]
        if not hits:
            return None
        at, pattern = min(hits, key=lambda hit: hit[0])
        return Found(
            pattern.regex, _shown(line[start:], at - start), self._stream, pattern.kind, retry_after_in(line)
        )

    def _keep(self, window: str) -> None:
        """Keep the line that is not ended: of a long one its end, behind the one character before it.

        By that character a regular expression sees that the line did not begin there.
        """
        end = window.rfind("\n")
        rest = window[end + 1 :]
        self._cut = (self._cut and end < 0) or len(rest) > OVERLAP + 1
        self._carry = rest[-OVERLAP - 1 :]


@functools.lru_cache(maxsize=1024)
def _compiled(regex: str) -> tuple[re.Pattern[str], str | None]:
    return re.compile(regex, re.IGNORECASE), literal_of(regex)


def _folded(text: str) -> str:
    """The text in lower case, with all that ASCII letters match, case ignored, as those letters."""
    if text.isascii():
        return text.lower()
    return text.replace("\u0130", "i").replace("\u0131", "i").casefold()


def _with_time(found: Found, following: Sequence[str]) -> Found:
    """With the time to come back, where one of the next lines says it, as a header does."""
    times = (retry_after_in(line) for line in following[:_NEXT_LINES])
    return attrs.evolve(found, retry_after=next((time for time in times if time is not None), None))


def _shown(line: str, at: int) -> str:
    """The line for people: printable, and not longer than `_SHOWN` around the match."""
    begin = max(0, at - _SHOWN // 2) if len(line) > _SHOWN else 0
    piece = line[begin : begin + _SHOWN].strip()
    return "".join(char if char.isprintable() else "�" for char in piece)


_QUANTIFIERS = "?*{"


def literal_of(regex: str) -> str | None:
    """The longest run of plain ASCII characters that every match contains, folded; None: not known.

    Looking for it is a hundred times as fast as looking for the regular expression.
    """
    if regex.startswith("(?") or "(?#" in regex or not regex.isascii():
        return None
    runs, run, at = [""], "", 0
    while at < len(regex):
        char = regex[at]
        if char == "|":
            return None
        if char in _QUANTIFIERS:
            runs.append(run[:-1])
            run, at = "", _behind(regex, at, "}") if char == "{" else at + 1
        elif char == "\\":
            if regex[at + 1].isdigit() or regex[at + 1] in "xuUN":
                return None  # what follows belongs to the escape
            runs.append(run)
            run, at = "", at + 2
        elif char in "[(":
            runs.append(run)
            run, at = "", _behind(regex, at, "]" if char == "[" else ")")
        elif char.isalnum() or char in " _-/:=,;@%&<>!\"'~`#":
            run, at = run + char, at + 1
        else:
            runs.append(run)
            run, at = "", at + 1
    runs.append(run)
    longest = max(runs, key=len).casefold()
    return longest if len(longest) >= 3 else None


def _behind(regex: str, at: int, end: str) -> int:
    """The place behind the group, class or count that begins at `at`."""
    begin, depth, at = regex[at], 1, at + 1
    if begin == "[":
        at += regex[at : at + 1] == "^"
        at += regex[at : at + 1] == "]"  # a bracket that stands first is one of the class
    while at < len(regex) and depth:
        char = regex[at]
        if char == "\\":
            at += 1
        elif char == end:
            depth -= 1
        elif char == begin and begin == "(":
            depth += 1
        elif char == "[" and begin == "(":
            at = _behind(regex, at, "]") - 1
        at += 1
    return at


_NUMBER = r"\d+(?:\.\d+)?"
_UNIT = r"(?:ms|millis\w*|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?)(?![a-z])"
_MONTH = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_RETRY_AFTER = re.compile(
    r"(?:retry|try again|resets?)[-_ ]?(?:after|in|delay)([-_]?(?:ms|millis\w*)\b)?\D{0,20}?"
    rf"((?:{_NUMBER}[ ]*{_UNIT}[ ]*)+|{_NUMBER})"
    rf"(?![a-z0-9]|[-:/.,]\d|[ ](?:{_MONTH}))",  # else it is a date, or a time of day
    re.IGNORECASE,
)
_PART = re.compile(rf"({_NUMBER})[ ]*({_UNIT})", re.IGNORECASE)
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def retry_after_in(line: str) -> float | None:
    """The seconds after which a line says to come back, as in "retry after 1m30s"; None without.

    A number alone is seconds; behind a name like `retry_after_ms` it is milliseconds.
    """
    found = _RETRY_AFTER.search(line)
    if found is None:
        return None
    parts = _PART.findall(found[2]) or [(found[2], "ms" if found[1] else "s")]
    return sum(float(number) * _factor(unit.lower()) for number, unit in parts)


def _factor(unit: str) -> float:
    return 0.001 if unit == "ms" or unit.startswith("milli") else _UNITS[unit[0]]
