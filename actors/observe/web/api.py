"""The HTTP side of the API: one handler for each thing that can be asked or done."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, cast

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from actors.errors import UnknownActor
from actors.http.access import Visitor
from actors.http.faults import Fault
from actors.http.gate import VISITOR, read_json
from actors.names import canonical
from actors.observe.web.frames import dumps
from actors.observe.web.live import Live
from actors.observe.web.seen import Seen

__all__ = ["Api", "check_sees_all", "number_in", "texts_in"]

_MOST: Final = 1000
"""Facts in one answer."""


class Api:
    """The handlers."""

    def __init__(self, seen: Seen, live: Live) -> None:
        self._seen = seen
        self._live = live

    @property
    def routes(self) -> list[Route]:
        """Below /api/v1."""
        whole = _whole
        return [
            Route("/snapshot", whole(self._snapshot)),
            Route("/tree", whole(self._tree)),
            Route("/actors", whole(self._root)),
            Route("/actors/{path:path}", whole(self._actor)),
            Route("/events", whole(self._events)),
            Route("/requests", self._requests),
            Route("/requests/{id}/answer", self._answer, methods=["POST"]),
            Route("/requests/{id}/extend", self._extend, methods=["POST"]),
            Route("/dead", whole(self._dead)),
            Route("/dead/{id}/redeliver", whole(self._redeliver), methods=["POST"]),
            Route("/dead/{id}", whole(self._drop), methods=["DELETE"]),
            Route("/nodes", whole(self._nodes)),
            Route("/statistics", whole(self._statistics)),
        ]

    # --- the system ---

    async def _snapshot(self, request: Request) -> Response:
        return _json(await self._seen.snapshot())

    async def _tree(self, request: Request) -> Response:
        return _json(self._seen.system.tree().as_dict())

    async def _root(self, request: Request) -> Response:
        return _json(self._seen.actor("/"))

    async def _actor(self, request: Request) -> Response:
        path = canonical("/" + request.path_params["path"])
        found = self._seen.actor(path)
        if found is None:
            raise UnknownActor(path, self._seen.kernel.name, ())
        return _json(found)

    async def _events(self, request: Request) -> Response:
        asked = request.query_params
        after = number_in(asked.get("after"), "after", least=0) or 0
        limit = number_in(asked.get("limit"), "limit", least=1) or 500
        page = self._seen.journal.after(
            after,
            kinds=texts_in(asked.getlist("kind")),
            path=asked.get("path") or None,
            limit=min(limit, _MOST),
        )
        facts = [fact.as_dict() for fact in page.facts]
        last = self._seen.journal.last
        return _json({"facts": facts, "after": page.after, "missed": page.missed, "last": last})

    async def _nodes(self, request: Request) -> Response:
        return _json({"nodes": self._seen.nodes()})

    async def _statistics(self, request: Request) -> Response:
        return _json(self._seen.statistics())

    # --- people ---

    async def _requests(self, request: Request) -> Response:
        visitor = _visitor(request)
        to = request.query_params.get("to") or visitor.person
        if not visitor.sees_all and to != visitor.person:
            raise Fault(403, "Forbidden", "this is the queue of somebody else")
        asked = Visitor(to)
        found = [self._seen.request(one) for one in self._seen.desk.pending() if asked.may_see(one.to)]
        return _json({"requests": found})

    async def _answer(self, request: Request) -> Response:
        said = await read_json(request.scope, request.receive)
        visitor, request_id = _visitor(request), self._hers(request)  # it may have moved on meanwhile
        if "value" not in said:
            raise Fault(400, "NoValue", 'say what the answer is, as in {"value": true}')
        by = visitor.person if visitor.person is not None else said.get("by")
        if by is not None and (not isinstance(by, str) or not by.strip() or len(by) > 200):
            raise Fault(400, "BadName", "by is the name of whoever answers, a text of 1 to 200 characters")
        await self._seen.desk.decide(request_id, said["value"], by)
        return _json({"id": request_id, "by": by})

    async def _extend(self, request: Request) -> Response:
        seconds = (await read_json(request.scope, request.receive)).get("seconds")
        request_id = self._hers(request)
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds <= 31_536_000:
            raise Fault(400, "BadSeconds", 'say for how long, as in {"seconds": 60}')
        self._seen.desk.extend(request_id, float(seconds))
        one = next((one for one in self._seen.desk.pending() if one.id == request_id), None)
        return _json({"id": request_id, "request": None if one is None else self._seen.request(one)})

    def _hers(self, request: Request) -> str:
        """The id of a request that they may answer: that of another person is as unknown to them."""
        visitor, request_id = _visitor(request), str(request.path_params["id"])
        if not visitor.sees_all:
            one = next((one for one in self._seen.desk.pending() if one.id == request_id), None)
            if one is not None and not visitor.may_see(one.to):
                raise Fault(403, "Forbidden", "this request is for somebody else")
        return request_id

    # --- dead letters ---

    async def _dead(self, request: Request) -> Response:
        return _json(await self._seen.dead())

    async def _redeliver(self, request: Request) -> Response:
        await read_json(request.scope, request.receive)
        done = await self._seen.redeliver(str(request.path_params["id"]))
        self._live.changed()
        return _json(done)

    async def _drop(self, request: Request) -> Response:
        await read_json(request.scope, request.receive)
        await self._seen.drop(str(request.path_params["id"]))
        self._live.changed()
        return _json({})


Handler = Callable[[Request], Awaitable[Response]]


def _whole(handler: Handler) -> Handler:
    """For those who see all: a person's token opens her own queue alone."""

    async def checked(request: Request) -> Response:
        check_sees_all(request)
        return await handler(request)

    return checked


def check_sees_all(request: Request) -> None:
    """Raises `Fault` for a person."""
    if not _visitor(request).sees_all:
        raise Fault(403, "Forbidden", "a person's token opens her own queue, and this is not in it")


def _visitor(request: Request) -> Visitor:
    return cast("Visitor", request.scope["state"][VISITOR])


def _json(content: Any) -> Response:
    return Response(dumps(content), media_type="application/json")


def number_in(said: str | None, name: str, least: int) -> int | None:
    """A whole number of a query, None where there is none; raises `Fault` for anything else."""
    if said is None or not said:
        return None
    try:
        number = int(said) if len(said) < 20 else None
    except ValueError:
        number = None
    if number is None or number < least:
        raise Fault(400, "BadNumber", f"{name} must be a whole number from {least}, not {said!r:.40}")
    return number


def texts_in(said: list[str]) -> list[str]:
    """Names of a query: `kind=a&kind=b`, or `kind=a,b`."""
    return [name for one in said for name in one.split(",") if name]
