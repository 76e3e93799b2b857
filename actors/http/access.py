"""Who may come in, and from where: tokens, cookies, origins, the Host header.

A cookie is a keyed digest of its token, made with a secret that is drawn when the observatory starts: it says
nothing about the token, and is worth nothing at another observatory.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Collection, Mapping
from typing import Final
from urllib.parse import urlsplit

import attrs

__all__ = ["SAFE_METHODS", "Doorkeeper", "Visitor", "check_origin", "check_token", "is_loopback"]

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""What changes nothing, and may come from anywhere."""
_PLAIN: Final = frozenset({"http", "https"})
_PORTS: Final = {"http": 80, "https": 443}


@attrs.frozen
class Visitor:
    """Who looks: `person` for whoever came with a person's token; None sees and does everything."""

    person: str | None = None

    @property
    def sees_all(self) -> bool:
        """False for a person: her queue alone is hers."""
        return self.person is None

    def may_see(self, to: str | None) -> bool:
        """Whether a request to this person, or to anybody, is one of theirs."""
        return self.person is None or to is None or to == self.person


def check_token(token: object, whose: str) -> str:
    """The token; raises ValueError for what is none."""
    if not isinstance(token, str) or not token or token != token.strip():
        raise ValueError(
            f"{whose} is a text that is not empty, without blanks around it, not {type(token).__name__}"
        )
    return token


def check_origin(origin: object) -> str:
    """An origin as browsers send it; raises ValueError for what is none."""
    if isinstance(origin, str):
        said = origin.rstrip("/").lower()
        parts = urlsplit(said)
        if parts.scheme in _PLAIN and parts.netloc and said == f"{parts.scheme}://{parts.netloc}":
            return said
    raise ValueError(f"{origin!r} is no origin: write it as 'https://watch.example.org'")


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the address."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _name_in(host: str) -> str | None:
    """The name in a Host header, without its port; None for what is no such header."""
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port
    except ValueError:
        return None
    return parts.hostname if parts.netloc == host and "@" not in host else None


class Doorkeeper:
    """Knows the tokens, and from where a browser may come."""

    def __init__(
        self,
        host: str,
        token: str | None,
        people: Mapping[str, str],
        origins: Collection[str],
        secret: bytes,
    ) -> None:
        self._is_loopback = is_loopback(host)
        self._origins = frozenset(origins)
        self._hosts = {host.lower(), *(urlsplit(origin).hostname for origin in origins)}
        known = {Visitor(): token} if token is not None else {}
        known |= {Visitor(person): word for person, word in people.items()}
        self.needs_token = bool(known)
        self._tokens = {visitor: word.encode() for visitor, word in known.items()}
        self._cookies = {
            visitor: hmac.new(secret, word, hashlib.sha256).hexdigest()
            for visitor, word in self._tokens.items()
        }

    def by_token(self, said: bytes) -> Visitor | None:
        """Whose token this is, in a time that says nothing about any."""
        found: Visitor | None = None
        for visitor, token in self._tokens.items():
            if hmac.compare_digest(said, token):
                found = visitor
        return found

    def by_cookie(self, said: str) -> Visitor | None:
        """Whose cookie this is."""
        found: Visitor | None = None
        for visitor, cookie in self._cookies.items():
            if hmac.compare_digest(said.encode(errors="surrogatepass"), cookie.encode()):
                found = visitor
        return found

    def cookie_of(self, visitor: Visitor) -> str:
        """What stands for their token in their browser."""
        return self._cookies[visitor]

    def knows_host(self, said: str | None) -> bool:
        """Whether the browser asks for this host by a name that is its own.

        A page elsewhere whose name leads to this machine is stopped here: it would be of the same origin.
        Where a token is needed and others reach the address, any name will do: no such page has the cookie.
        """
        name = None if said is None else _name_in(said.lower())
        if name is None:
            return False
        return not self._is_loopback or is_loopback(name) or name in self._hosts

    def may_come_from(self, origin: str | None, host: str | None) -> bool:
        """Whether a page of this origin may change something; programs that are no browsers send none."""
        if origin is None:
            return True
        said = origin.lower()
        if said in self._origins:
            return True
        parts = urlsplit(said)
        return (
            parts.scheme in _PLAIN and host is not None and _is_same(parts.scheme, parts.netloc, host.lower())
        )


def _is_same(scheme: str, netloc: str, host: str) -> bool:
    """Browsers leave the port out where it is the usual one."""
    usual = f":{_PORTS[scheme]}"
    return netloc.removesuffix(usual) == host.removesuffix(usual)
