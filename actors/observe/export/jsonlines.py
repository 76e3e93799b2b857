"""Log records as JSON, one object a line, for programs that have no structured logger."""

from __future__ import annotations

import json
import logging
import time
from typing import Any, Final

from actors.observe.brief import plain
from actors.observe.export.levels import RESERVED_FIELDS

__all__ = ["JsonFormatter"]

_SECONDS: Final = "%Y-%m-%dT%H:%M:%S"


class JsonFormatter(logging.Formatter):
    """Each record as one line of JSON: time (ISO 8601, UTC), level, logger, message, then its extra fields.

    A traceback stands under `exception`. What JSON has no words for is a text; nothing raises.
    """

    converter = time.gmtime

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end. Extra fields never replace the first four."""
        said: dict[str, Any] = {
            "time": f"{self.formatTime(record, _SECONDS)}.{int(record.msecs):03d}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": _message(record),
        }
        for name, value in vars(record).items():
            if name not in RESERVED_FIELDS:
                said.setdefault(name, plain(value))
        if record.exc_info and record.exc_info[0] is not None:
            said["exception"] = self.formatException(record.exc_info)
        return json.dumps(said, ensure_ascii=False, allow_nan=False)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception as error:  # too few arguments, or one that cannot be shown
        return f"{record.msg!r} cannot be formatted: {error!r}"
