"""The scanner of output, and the literals by which it passes over what cannot match."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from actors import DEFAULT_PATTERNS, FailureKind, Pattern, Stall
from actors.monitor.patterns import OVERLAP, TAIL, Found, Scanner, _folded, literal_of, retry_after_in

RATE, PATTERN, PERMANENT = FailureKind.RATE_LIMIT, FailureKind.PATTERN, FailureKind.PERMANENT
WRITTEN = {
    r"rate.?limit": ("Rate-Limit reached", "RATELIMIT", "a rate limit"),
    r"\b429\b": ("HTTP 429 Too Many Requests", "(429)", "status=429"),
    r"connection.?(?:refused|reset|error)": ("Connection refused", "ConnectionError: x", "connection_reset"),
    r"ECONNRESET": ("read ECONNRESET", "econnreset"),
    r"API.?error": ("API Error 500", "ApiError"),
    r"authentication.?failed": ("Authentication failed for x", "authentication_failed"),
    r"model.?not.?available": ("model not available", "ModelNotAvailable"),
    r"quota.?exceeded": ("Quota exceeded", "quota_exceeded"),
    r"invalid.?api.?key": ("Invalid API key", "invalid_api_key"),
    r"unauthorized": ("401 Unauthorized",),
    r"forbidden": ("403 Forbidden",),
}
KINDS = dict(
    zip(
        DEFAULT_PATTERNS,
        [RATE, RATE, PATTERN, PATTERN, PATTERN, PERMANENT, PERMANENT, RATE, PERMANENT, PERMANENT, PERMANENT],
        strict=True,
    )
)
HARMLESS = (
    "took 4290 ms",
    "x1429",
    "the rate was limited",
    "a reset of the connection",
    "no model",
    "429429",
    "rate\nlimit",
    "",
)


def scanner(*patterns: str | Pattern, stream: str = "stderr") -> Scanner:
    return Scanner(stream, Stall(patterns=patterns or DEFAULT_PATTERNS).resolved())


def fed(scan: Scanner, pieces: Iterable[bytes]) -> Found | None:
    """The first that is found."""
    return next((found for piece in pieces if (found := scan.feed(piece)) is not None), None)


def cut(data: bytes, places: Iterable[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[begin:end] for begin, end in pairwise(edges)]


# --- the eleven defaults --------------------------------------------------------------


@pytest.mark.row(9)
@pytest.mark.parametrize(
    ("regex", "text"), [(regex, text) for regex, texts in WRITTEN.items() for text in texts]
)
def test_each_default_finds_what_agents_write(regex: str, text: str) -> None:
    """In any case, in the middle of a line, with its kind; the line is told."""
    found = scanner().feed(f"before\nERROR {text} now\nafter\n".encode())
    assert found == Found(regex, f"ERROR {text} now", "stderr", KINDS[regex])


def test_all_defaults_are_tried() -> None:
    """The table above has no hole."""
    assert tuple(WRITTEN) == DEFAULT_PATTERNS


@pytest.mark.parametrize("text", HARMLESS)
def test_what_looks_like_one_is_none(text: str) -> None:
    """No default is found in ordinary output."""
    assert scanner().feed(text.encode() + b" \n") is None


def test_the_earliest_in_the_line_is_told() -> None:
    """Not the first of the list; and the first line before the second."""
    found = scanner().feed(b"forbidden: 429, rate limit\n")
    assert found is not None
    assert found.pattern == "forbidden"
    found = scanner().feed(b"all good\nunauthorized\nrate limit\n")
    assert found is not None
    assert found.pattern == "unauthorized"


# --- portions ----------------------------------------------------------------------------

LINES = st.lists(
    st.one_of(
        st.sampled_from([text for texts in WRITTEN.values() for text in texts]),
        st.text(st.sampled_from("abc é€😀\t"), max_size=30),
    ),
    max_size=8,
)


@pytest.mark.row(11)
@given(lines=LINES, places=st.lists(st.integers(0, 2**16)))
def test_however_it_is_cut_the_same_is_found(lines: list[str], places: list[int]) -> None:
    """The same pattern in the same line, which is told as far as it had come; nothing else is."""
    data = "".join(f"{line}\n" for line in lines).encode()
    whole, pieces = fed(scanner(), [data]), fed(scanner(), cut(data, places))
    if whole is None:
        assert pieces is None
        return
    assert pieces is not None
    assert (pieces.pattern, pieces.kind, pieces.stream) == (whole.pattern, whole.kind, whole.stream)
    assert whole.line.startswith(pieces.line)


@pytest.mark.row(11)
@pytest.mark.parametrize("text", [text for texts in WRITTEN.values() for text in texts])
def test_half_a_pattern_and_then_the_other(text: str) -> None:
    """At each place; and byte by byte."""
    data = f"ERROR {text} ".encode()
    for place in range(len(data)):
        assert fed(scanner(), cut(data, [place])) is not None
    assert fed(scanner(), [bytes([byte]) for byte in data]) is not None


def test_an_unfinished_line_is_looked_at() -> None:
    """Who writes no newline and hangs is found all the same."""
    assert scanner().feed(b"rate limit") is not None


def test_a_border_may_go_through_a_character() -> None:
    """A character of several bytes that is cut is one, and broken ones hide nothing."""
    scan = scanner("größe überschritten")
    data = "größe überschritten".encode()
    assert fed(scan, [bytes([byte]) for byte in data]) is not None
    assert scanner().feed(b"\xff\xfe\xc3 rate limit \x80") is not None


def test_a_pattern_does_not_reach_over_a_newline() -> None:
    """Lines are looked at one by one, also those that come apart."""
    assert scanner("rate.?limit").feed(b"rate\nlimit\n") is None
    assert fed(scanner(r"rate\slimit"), [b"rate", b"\n", b"limit"]) is None


@pytest.mark.parametrize("length", [OVERLAP - 1, OVERLAP, OVERLAP + 1, OVERLAP + 2, 3 * OVERLAP])
@pytest.mark.parametrize("regex", ["^FATAL", r"\bFATAL", r"(?<!x)FATAL", r"\AFATAL"])
def test_behind_a_line_that_was_cut_nothing_begins(regex: str, length: int) -> None:
    """Where the memory of a long line ends there is no beginning of a line, and no border of a word."""
    scan = scanner(regex)
    line = "x" * length + "FATAL " + "y" * 3 * OVERLAP
    assert fed(scan, (char.encode() for char in line)) is None
    assert fed(scan, [b"\n", b"FATAL"]) is not None


def test_a_line_that_begins_with_a_zero_byte_is_a_line() -> None:
    """Nothing in the output stands for something else."""
    assert scanner("^.FATAL").feed(b"\0FATAL") is not None
    assert scanner("^FATAL").feed(b"\0FATAL") is None


def test_a_match_within_the_overlap_is_found_in_the_longest_line() -> None:
    """However it comes, at any place of it."""
    middle = "begin" + "m" * (OVERLAP - 20) + "end"
    line = ("x" * 5000 + middle + "y" * 5000).encode()
    for size in (1, 7, 1000, 100_000):
        assert fed(scanner("begin.*end"), cut(line, range(0, len(line), size))) is not None


# --- streams, tails, what is told ----------------------------------------------------------


@pytest.mark.row(15)
@pytest.mark.parametrize("written", ["stdout", "stderr"])
@pytest.mark.parametrize("asked", ["stdout", "stderr", "both"])
def test_a_pattern_is_looked_for_in_its_stream(written: str, asked: str) -> None:
    """And in no other."""
    scan = Scanner(written, [Pattern("boom", stream=asked)])  # type: ignore[arg-type]
    found = scan.feed(b"boom")
    assert (found is not None) == (asked in (written, "both"))
    if found is not None:
        assert found.stream == written


@given(st.lists(st.text(max_size=3 * TAIL), max_size=5))
def test_the_tail_is_the_end_of_the_stream(texts: list[str]) -> None:
    """As text, with patterns and without."""
    whole = "".join(texts)
    for patterns in ((), (Pattern("no such thing"),)):
        scan = Scanner("stdout", patterns)
        for text in texts:
            scan.feed(text.encode("utf-8", "replace"))
        assert scan.tail == whole.encode("utf-8", "replace").decode()[-TAIL:]


def test_a_long_line_is_told_around_the_match_and_printable() -> None:
    """At most 200 characters; what would move a terminal's cursor is gone."""
    found = scanner().feed(b"x" * 500 + b"\x1b[31m rate limit \x07" + b"y" * 500)
    assert found is not None
    assert len(found.line) <= 200
    assert "rate limit" in found.line
    assert found.line.isprintable()


def test_a_time_to_come_back_is_read_in_the_next_lines_too() -> None:
    """As in the head of an answer; not in those that come much later."""
    head = b"HTTP/1.1 429 Too Many Requests\nServer: x\nRetry-After: 3\n"
    found = scanner(r"\b429\b").feed(head)
    assert found is not None
    assert (found.line, found.retry_after) == ("HTTP/1.1 429 Too Many Requests", 3.0)
    late = scanner(r"\b429\b").feed(b"429\n" + b"x\n" * 50 + b"retry after 3 s\n")
    assert late is not None
    assert late.retry_after is None


@pytest.mark.parametrize(
    ("line", "seconds"),
    [
        ("rate limit: retry after 20 s", 20.0),
        ("Retry-After: 7", 7.0),
        ("please try again in 1.5 seconds", 1.5),
        ("retry in 250ms", 0.25),
        ("retry after 250 milliseconds", 0.25),
        ("try again in 2 minutes", 120.0),
        ("retry after 3m", 180.0),
        ("retry after 1 hour", 3600.0),
        ("Please try again in 6m0s.", 360.0),
        ("try again in 1h2m3.5s, or ask for more", 3723.5),
        ("retry after 1 min 30 s because of 5 others", 90.0),
        ("limit reached, resets in 45s", 45.0),
        ('{"error": "rate_limit", "retry_after": 20}', 20.0),
        ('"retryDelay": "34.07s"', 34.07),
        ("retry-after-ms: 1500", 1.5),
        ("retry_after_ms=500", 0.5),
        ("Retry-After: Wed, 21 Oct 2015 07:28:00 GMT", None),
        ("retry after 2026-11-21 12:00", None),
        ("retry after 12:30", None),
        ("retry in 1,000 tries", None),
        ("rate limit", None),
        ("retry 3/5 failed: rate limit", None),
        ("retry", None),
        ("20 s", None),
        ("retry after 5x", None),
        ("retry after a long time, or ask person number 5", None),
    ],
)
def test_when_to_come_back_is_read_in_the_line(line: str, seconds: float | None) -> None:
    """In its units; the found pattern brings it along."""
    assert retry_after_in(line) == seconds
    found = scanner("retry|limit|20").feed(line.encode())
    if found is not None:
        assert found.retry_after == seconds


def test_a_long_list_of_times_is_read_in_linear_time() -> None:
    """Also one that is none after all."""
    began = time.process_time()
    assert retry_after_in("retry after " + "1m" * 100_000 + "x") is None
    assert retry_after_in("retry after " + "1" * 100_000 + "x") is None
    assert time.process_time() - began < 5.0


# --- the literal ---------------------------------------------------------------------------

LITERALS = {
    "rate.?limit": "limit",
    r"\b429\b": "429",
    "connection.?(?:refused|reset|error)": "connection",
    "invalid.?api.?key": "invalid",
    "forbidden": "forbidden",
    "ab": None,
    "abc|def": None,
    "abcx*": "abc",
    "abcx?": "abc",
    "abcx{0}": "abc",
    "abcx{0,3}?": "abc",
    "(abcdef)?": None,
    "(abcdef)?ghi": "ghi",
    "abc[|]def": "abc",
    "abc[]|]defg": "defg",
    "abc[^]|]defg": "defg",
    r"abc[\]|]defg": "defg",
    "abc(d|e)": "abc",
    "abc(d(e|f)g)hijk": "hijk",
    r"abc(\)|[)])hijk": "hijk",
    "abc.def+": "abc",
    r"abc\.defg": "defg",
    r"\x41bcd": None,
    r"\u0041bcd": None,
    r"\N{DIGIT ONE}234": None,
    r"\101bcd": None,
    r"(a)\1234": None,
    "(?x)a b c d": None,
    "(?i)abcd": None,
    "(?!abc)defg": None,
    "abc(?!def)": "abc",
    "abc(?=def)": "abc",
    "abc(?i:DEF)": "abc",
    "abc(?#[)]|def": None,
    "ABCd": "abcd",
    "größe": None,
    "^abc$": "abc",
    "abc*+d": "ab",
    "ab{1}c": None,
}


@pytest.mark.parametrize("regex", LITERALS)
def test_the_literal_of_a_regular_expression(regex: str) -> None:
    """The longest that every match has for sure, or None; two characters are none."""
    re.compile(regex)
    expected = LITERALS[regex]
    assert literal_of(regex) == (expected if expected is None or len(expected) >= 3 else None)


LONG_S, KELVIN, DOTLESS, DOTTED = "\u017f", "\u212a", "\u0131", "\u0130"
"""Characters that an ASCII letter matches, case ignored."""
ATOMS = (
    r"a b S k i lim rate 429 - # ^ $ ."
    r" \b \d \. \\ \| \[ \( \n \x61 \u0062 \141 [|] [^a] []a] [\]b] [(] [a-k] { } é"
    r" (?!abc) (?=l) (?<=a) (?<!b) (?#c) (?#[) (?i:Lim) (?-i:lim)"
)
ATOM = st.sampled_from([*ATOMS.split(), " ", LONG_S, KELVIN, DOTLESS, DOTTED])
QUANTIFIERS = "? * + ?? *? +? ?+ {0} {1} {0,2} {,2}"
QUANTIFIER = st.sampled_from(["", "", "", *QUANTIFIERS.split()])


def groups(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    wrapped = st.tuples(st.sampled_from(["(", "(?:", "(?i:"]), inner, QUANTIFIER).map(
        lambda parts: f"{parts[0]}{parts[1]}){parts[2]}"
    )
    return st.one_of(
        wrapped,
        st.tuples(inner, inner).map("|".join),
        st.lists(inner, min_size=1, max_size=3).map("".join),
    )


REGEX = st.tuples(
    st.sampled_from(["", "", "", "(?i)", "(?x)", "(?s)"]),
    st.recursive(st.tuples(ATOM, QUANTIFIER).map("".join), groups, max_leaves=12),
).map("".join)
WORDS = r"a b s K i LIM lim rate 429 - # | ] [ ( { } . \ é É ß abc 1 ab"
TEXT = st.lists(
    st.sampled_from([*WORDS.split(), " ", "\r", LONG_S, KELVIN, DOTLESS, DOTTED]), max_size=12
).map("".join)


@given(regex=REGEX, text=TEXT)
@example(regex="unauthorized", text="unauthor\u0131zed")
@example(regex="limit", text="L\u0130M\u0130T")
@example(regex="risk", text="R\u0130\u017f\u212a")
def test_the_literal_hides_no_match(regex: str, text: str) -> None:
    """The scanner finds a line exactly when the regular expression does, case ignored."""
    try:
        pattern = Pattern(regex)
    except ValueError:
        return  # none, or one that matches the empty string
    matched = re.compile(regex, re.IGNORECASE).search(text) is not None
    assert (Scanner("stderr", [pattern]).feed(text.encode()) is not None) == matched


@given(data=st.data(), regex=REGEX)
def test_the_literal_is_in_every_match(data: st.DataObject, regex: str) -> None:
    """None, or three characters and more, which whatever matches has, folded."""
    try:
        compiled = re.compile(Pattern(regex).regex, re.IGNORECASE)
    except ValueError:
        return
    literal = literal_of(regex)
    if literal is None or "(?" in regex:
        return
    assert len(literal) >= 3
    assert literal in _folded(data.draw(st.from_regex(compiled)))


# --- cost ----------------------------------------------------------------------------------


def test_ten_megabytes_are_looked_at_quickly() -> None:
    """Portions of 64 KiB without a hit, in lines and without an end."""
    for line in (b"an ordinary line of output, with nothing in it whatsoever....\n", b"no end "):
        portion = (line * (65536 // len(line) + 1))[:65536]
        scan = scanner()
        began = time.process_time()
        for _ in range(160):
            assert scan.feed(portion) is None
        assert time.process_time() - began < 5.0


def test_bytes_one_by_one_cost_the_same_each() -> None:
    """The second half of a line of 100 KB takes no longer than the first; memory stays flat."""
    scan, times = scanner(), []
    for _ in range(2):
        began = time.process_time()
        for _ in range(50_000):
            scan.feed(b"x")
        times.append(time.process_time() - began)
    assert times[1] < 2.0 * times[0] + 0.2
    assert times[0] < 10.0
    assert len(scan.tail) == TAIL
