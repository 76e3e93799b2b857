"""What may be pasted, and which keys may be pressed. Pure."""

from __future__ import annotations

import re
from typing import Final, cast

__all__ = ["LONGEST_LINE", "LONGEST_TEXT", "as_key", "as_keys", "as_text"]

LONGEST_TEXT: Final = 1024 * 1024
"""Bytes of one paste, in UTF-8."""
LONGEST_LINE: Final = 4095
"""Bytes of a line that a terminal which collects lines can hold; what is more the kernel throws away."""

_CONTROLS: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f\x80-\x9f]")
_NAMED: Final = (
    r"Up|Down|Left|Right|Home|End|Enter|Escape|Tab|BTab|Space|BSpace|DC|Delete|IC|Insert|NPage|PageDown"
    r"|PPage|PageUp|F[1-9]|F1[0-2]"
)
_KEY: Final = re.compile(rf"(?:[CMS]-){{0,3}}(?:{_NAMED}|[^\s\x00-\x1f\x7f-\x9f])")


def as_text(text: object) -> str:
    r"""`text` as it is pasted, with `\n` for `\r\n`. TypeError and ValueError for what is not pasted.

    Control characters but newline and tab are refused: in a terminal they are keys, and an
    escape could end the brackets of the paste, so that what follows would be typed.
    """
    if not isinstance(text, str):
        raise TypeError(f"text must be str, not {text!r:.80}: decode bytes first")
    plain = text.replace("\r\n", "\n")
    if not plain:
        raise ValueError('text is empty, and nothing can be pasted: press a key, as in Keys("Enter")')
    found = _CONTROLS.search(plain)
    if found is not None:
        raise ValueError(
            f"text has the control character {found[0]!r} at {found.start()}, which a terminal takes for a "
            f'key: remove it, or press it with Keys("C-c")'
        )
    try:
        size = len(plain.encode())
    except UnicodeEncodeError as error:
        raise ValueError(
            f"text has {plain[error.start]!r} at {error.start}, which is no character: replace it"
        ) from None
    if size > LONGEST_TEXT:
        raise ValueError(
            f"text has {size} bytes, and {LONGEST_TEXT} can be pasted at once: "
            f"put it in a file, and paste the name of the file"
        )
    return plain


def as_key(key: object) -> str:
    """The name of a key; ValueError for what tmux would type letter by letter."""
    if not isinstance(key, str) or _KEY.fullmatch(key) is None:
        raise ValueError(
            f"{key!r:.80} is no key: write one character, or a name as Enter, Escape, Up, F1, C-c, M-x; "
            f"for text there is Paste"
        )
    return key


def as_keys(keys: object) -> tuple[str, ...]:
    """Names of keys, at least one; a single name stands for itself."""
    if isinstance(keys, str):
        return (as_key(keys),)
    if not isinstance(keys, list | tuple) or not keys:
        raise ValueError(f'keys must be names of keys, as in Keys(["Up", "Enter"]), not {keys!r:.80}')
    return tuple(as_key(key) for key in cast("list[object] | tuple[object, ...]", keys))
