"""The page and its parts, which are files of the package, and the form that takes a token."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

import attrs
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from actors.http.access import Doorkeeper
from actors.http.faults import Fault
from actors.http.gate import VISITOR, read_body
from actors.observe.export.prometheus import CONTENT_TYPE, take_metrics
from actors.observe.web.api import check_sees_all

if TYPE_CHECKING:
    from actors.system import System

__all__ = ["OPEN_PATHS", "Pages"]

_FOLDER: Final = Path(__file__).parent / "static"
_KINDS: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@attrs.frozen
class _File:
    body: bytes
    kind: str
    tag: str


def _files() -> Mapping[str, _File]:
    found: dict[str, _File] = {}
    for file in sorted(_FOLDER.iterdir()):
        if file.suffix in _KINDS:
            body = file.read_bytes()
            tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
            found[file.name] = _File(body, _KINDS[file.suffix], tag)
    return found


_LOGIN: Final = "/login"
_NAMES: Final = tuple(sorted(one.name for one in _FOLDER.iterdir() if one.suffix in _KINDS))
OPEN_PATHS: Final = frozenset({"/", _LOGIN, "/logout", *(f"/static/{name}" for name in _NAMES)})
"""What anybody may ask for: the page is the same for all, and shows nothing without the API."""


class Pages:
    """Serves them."""

    def __init__(self, system: System, keeper: Doorkeeper, cookie: Callable[[], str]) -> None:
        self._system = system
        self._files = _files()
        self._keeper = keeper
        self._cookie = cookie

    @property
    def routes(self) -> list[Route]:
        """At the root."""
        return [
            Route("/", self._index),
            Route(_LOGIN, self._form),
            Route(_LOGIN, self._login, methods=["POST"]),
            Route("/logout", self._logout, methods=["POST"]),
            Route("/static/{name}", self._static),
            Route("/metrics", self._metrics),
        ]

    async def _index(self, request: Request) -> Response:
        token = request.query_params.get("token")
        if token is not None:
            return self._let_in(token)
        if request.scope["state"][VISITOR] is None:
            return RedirectResponse(_LOGIN, 303)
        return self._send(request, "index.html")

    async def _form(self, request: Request) -> Response:
        answer = self._send(request, "login-wrong.html" if "wrong" in request.query_params else "login.html")
        answer.headers["referrer-policy"] = "same-origin"  # or the form would be sent with the origin "null"
        return answer

    async def _login(self, request: Request) -> Response:
        said = parse_qs((await read_body(request.receive)).decode("utf-8", "replace"))
        return self._let_in(said.get("token", [""])[0].strip())

    def _let_in(self, token: str) -> Response:
        """From here on a cookie stands for the token, which is in no address any more."""
        visitor = self._keeper.by_token(token.encode(errors="surrogatepass"))
        if visitor is None:
            return RedirectResponse("/" if not self._keeper.needs_token else f"{_LOGIN}?wrong", 303)
        answer = RedirectResponse("/", 303)
        self._set(answer, self._keeper.cookie_of(visitor))
        return answer

    async def _logout(self, request: Request) -> Response:
        answer = RedirectResponse(_LOGIN, 303)
        answer.delete_cookie(self._cookie(), path="/", httponly=True, samesite="strict")
        return answer

    def _set(self, answer: Response, value: str) -> None:
        answer.set_cookie(self._cookie(), value, path="/", httponly=True, samesite="strict")

    async def _static(self, request: Request) -> Response:
        return self._send(request, str(request.path_params["name"]))

    async def _metrics(self, request: Request) -> Response:
        check_sees_all(request)
        return Response(await take_metrics(self._system), media_type=CONTENT_TYPE)

    def _send(self, request: Request, name: str) -> Response:
        found = self._files.get(name)
        if found is None:
            raise Fault(404, "UnknownPage", f"there is no {name!r} here")
        headers = {"etag": found.tag, "cache-control": "no-cache"}
        if request.headers.get("if-none-match") == found.tag:
            return Response(status_code=304, headers=headers)
        return Response(found.body, media_type=found.kind, headers=headers)
