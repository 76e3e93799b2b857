"""One span, begun and ended. Never raises: a broken SDK, processor or sampler must not end an actor."""

from __future__ import annotations

import logging
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress

import trio
from opentelemetry.context import Context as Trace
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind, Status, StatusCode, Tracer

from actors.errors import ActorError, Refused
from actors.observe.brief import error_line

__all__ = ["begin_span", "end_span"]

_log = logging.getLogger("actors.traces")


def begin_span(
    tracer: Tracer, name: str, kind: SpanKind, facts: Mapping[str, str], within: Trace | None = None
) -> Span:
    """A new span, by default within that of the running step; one that records nothing where that fails."""
    span: Span = INVALID_SPAN
    with _unhurt(name):
        span = tracer.start_span(
            name,
            context=within,
            kind=kind,
            attributes=facts,
            record_exception=False,
            set_status_on_exception=False,
        )
    return span


def end_span(span: Span, error: BaseException | None = None) -> None:
    """End a span, with what went wrong. A refusal is an answer; what was cancelled has failed here."""
    if error is not None:
        with _unhurt(span):
            _mark(span, error)
    with _unhurt(span):
        span.end()


def _mark(span: Span, error: BaseException) -> None:
    if isinstance(error, trio.Cancelled) or type(error) is ActorError:
        span.set_attribute("actors.cancelled", True)
        span.set_status(Status(StatusCode.ERROR, "cancelled"))
        return
    if not isinstance(error, Refused):
        span.set_status(Status(StatusCode.ERROR, error_line(error)))
    span.record_exception(error)


@contextmanager
def _unhurt(what: object) -> Generator[None]:
    try:
        yield
    except Exception:
        with suppress(Exception):  # nor a broken log handler
            _log.exception("OpenTelemetry has failed at the span %s", what)
