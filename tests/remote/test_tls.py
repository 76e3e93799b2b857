"""TLS by an `ssl.SSLContext`, from both sides; who may listen where; which pages may connect."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
import trustme
from trio_websocket import ConnectionRejected

import actors
from tests.remote.strangers import TOKEN, UPGRADE, Door, Echo, door, read_all, stranger


@attrs.frozen
class Papers:
    """Two authorities, and what is issued by them for 127.0.0.1 and localhost."""

    mine: trustme.CA = attrs.field(factory=trustme.CA)
    foreign: trustme.CA = attrs.field(factory=trustme.CA)

    def server(self, *names: str, wants_client: bool = False) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.mine.issue_cert(*(names or ("127.0.0.1", "localhost"))).configure_cert(context)
        if wants_client:
            self.mine.configure_trust(context)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def client(self, trusts: trustme.CA | None = None, shown_by: trustme.CA | None = None) -> ssl.SSLContext:
        context = ssl.create_default_context()
        (trusts or self.mine).configure_trust(context)
        if shown_by is not None:
            shown_by.issue_cert("client@there").configure_cert(context)
        return context


@pytest.fixture(scope="module")
def papers() -> Papers:
    return Papers()


async def asks(node: Door, context: ssl.SSLContext) -> None:
    """A good node gets in and is answered."""
    async with actors.open_system("alpha") as alpha:
        peer = await alpha.connect(node.url, token=TOKEN, ssl_context=context, timeout=5)
        assert await peer.ref("/parrot").ask(Echo("x" * 100_000), timeout=5) == "x" * 100_000


async def unreachable(url: str, context: ssl.SSLContext | None) -> str:
    """Why a node cannot be reached."""
    async with actors.open_system("alpha") as alpha:
        with pytest.raises(actors.NodeUnreachable) as caught:
            await alpha.connect(url, token=TOKEN, ssl_context=context, timeout=5)
    return str(caught.value)


async def test_a_link_over_tls_is_like_one_without(papers: Papers) -> None:
    async with door(ssl_context=papers.server()) as node:
        assert node.url.startswith("wss://")
        await asks(node, papers.client())
        assert not node.has_refused_more


async def test_a_server_of_another_authority_is_not_believed(papers: Papers) -> None:
    async with door(ssl_context=papers.server()) as node:
        why = await unreachable(node.url, papers.client(trusts=papers.foreign))
        assert "CERTIFICATE_VERIFY_FAILED" in why
        refusal = await node.refusal()
        assert refusal.reason == "broken"
        assert "no TLS" in refusal.text
        await asks(node, papers.client())


async def test_a_server_is_believed_to_be_who_its_certificate_names(papers: Papers) -> None:
    async with door(ssl_context=papers.server("elsewhere.example")) as node:
        assert "IP address mismatch" in await unreachable(node.url, papers.client())
        named = f"wss://localhost:{node.port}"
        assert "Hostname mismatch" in await unreachable(named, papers.client())


async def test_who_trusts_nobody_in_particular_does_not_trust_us(papers: Papers) -> None:
    async with door(ssl_context=papers.server()) as node:
        assert "CERTIFICATE_VERIFY_FAILED" in await unreachable(node.url, None)


async def test_with_mutual_tls_both_ends_show_who_they_are(papers: Papers) -> None:
    async with door(ssl_context=papers.server(wants_client=True)) as node:
        await asks(node, papers.client(shown_by=papers.mine))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_client_without_a_certificate_is_told_that_one_is_needed(
    papers: Papers, version: ssl.TLSVersion
) -> None:
    """In TLS 1.3 the client learns of it only when it reads."""
    context = papers.client()
    context.maximum_version = version
    async with door(ssl_context=papers.server(wants_client=True)) as node:
        why = await unreachable(node.url, context)
        assert "alert" in why.lower()
        refusal = await node.refusal()
        assert "PEER_DID_NOT_RETURN_A_CERTIFICATE" in refusal.text
        await asks(node, papers.client(shown_by=papers.mine))


async def test_a_client_with_a_certificate_of_another_authority_is_refused(papers: Papers) -> None:
    async with door(ssl_context=papers.server(wants_client=True)) as node:
        assert "alert" in (await unreachable(node.url, papers.client(shown_by=papers.foreign))).lower()
        assert "CERTIFICATE_VERIFY_FAILED" in (await node.refusal()).text


async def test_mutual_tls_does_not_replace_the_token(papers: Papers) -> None:
    async with (
        door(ssl_context=papers.server(wants_client=True)) as node,
        actors.open_system("alpha") as alpha,
    ):
        context = papers.client(shown_by=papers.mine)
        with pytest.raises(actors.LinkRefused, match="the token is not the right one"):
            await alpha.connect(node.url, token="guess", ssl_context=context, timeout=5)


async def test_plain_text_to_a_tls_port_ends_with_a_reason_at_both_ends(papers: Papers) -> None:
    async with door(ssl_context=papers.server()) as node:
        why = await unreachable(node.url.replace("wss", "ws"), None)
        assert "handshake" in why
        refusal = await node.refusal()
        assert refusal.reason == "broken"
        assert "no TLS" in refusal.text
        assert "http" in refusal.text.lower()
        async with await node.dial() as stream:
            await stream.send_all(UPGRADE)
            assert not (await read_all(stream)).startswith(b"HTTP/1.1 101")
        await asks(node, papers.client())


async def test_tls_to_a_plain_port_ends_with_a_reason_at_both_ends(papers: Papers) -> None:
    async with door() as node:
        why = await unreachable(node.url.replace("ws", "wss"), papers.client())
        assert "no TLS" in why
        assert (await node.refusal()).reason == "bad-frame"
        await node.serves()


async def test_whoever_begins_tls_and_stops_is_dropped_in_time(
    papers: Papers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.remote.links.HANDSHAKE", 0.2)
    async with door(ssl_context=papers.server()) as node:
        async with await node.dial() as stream:
            assert await read_all(stream) == b""
        assert (await node.refusal()).reason == "too-slow"


async def test_a_context_goes_with_wss_alone(papers: Papers) -> None:
    async with door() as node, actors.open_system("alpha") as alpha:
        with pytest.raises(ValueError, match="wss"):
            await alpha.connect(node.url, token=TOKEN, ssl_context=papers.client())


# --- who may listen, and to whom -----------------------------------------------------------


@pytest.mark.parametrize("host", ["0.0.0.0", "::", ""])
async def test_an_address_for_all_needs_a_token_or_tls(host: str) -> None:
    async with actors.open_system("beta") as beta:
        with pytest.raises(actors.InsecureListen, match="token"):
            await beta.listen(host, 0)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.3.2.1"])
async def test_an_address_of_this_machine_needs_neither(host: str) -> None:
    async with actors.open_system("beta") as beta:
        listener = await beta.listen(host, 0)
        assert listener.url.startswith("ws://")


async def test_a_token_or_tls_is_enough_for_an_address_for_all(papers: Papers) -> None:
    async with actors.open_system("beta") as beta, actors.open_system("alpha") as alpha:
        listener = await beta.listen("0.0.0.0", 0, token=TOKEN)
        here = listener.url.replace("0.0.0.0", "127.0.0.1")
        assert (await alpha.connect(here, token=TOKEN)).name == "beta"
        secure = await beta.listen("0.0.0.0", 0, ssl_context=papers.server())
        assert secure.url.startswith("wss://0.0.0.0:")


async def test_pages_connect_only_from_the_origins_that_are_named() -> None:
    async with door(origins=["https://shop.example"]) as node:
        async with stranger(node.url, headers=[(b"Origin", b"https://shop.example")]) as page:
            assert (await page.join())["node"] == "beta"
        for origin in (b"https://evil.example", b"https://shop.example.evil", b"null", b""):
            with pytest.raises(ConnectionRejected) as caught:
                async with stranger(node.url, headers=[(b"Origin", origin)]):
                    pass
            assert caught.value.status_code == 403
            assert (await node.refusal()).reason == "forbidden-origin"


@pytest.mark.parametrize(
    ("host", "port", "error", "said"),
    [
        (None, 0, TypeError, "0.0.0.0 for all addresses"),
        (7000, 0, TypeError, "a host is a str, not 7000"),
        ("127.0.0.1", "7000", ValueError, "a port is from 0 to 65535, not '7000'"),
        ("127.0.0.1", 65536, ValueError, "not 65536"),
        ("127.0.0.1", True, ValueError, "not True"),
    ],
)
async def test_where_to_listen_is_a_text_and_a_number(
    host: Any, port: Any, error: type[Exception], said: str
) -> None:
    async with actors.open_system("beta") as beta:
        with pytest.raises(error, match=said):
            await beta.listen(host, port)


async def test_origins_are_a_collection_of_texts() -> None:
    """One text would be taken for its letters."""
    async with actors.open_system("beta") as beta:
        with pytest.raises(TypeError, match="origins"):
            await beta.listen("127.0.0.1", 0, origins="https://shop.example")


async def test_a_page_that_is_not_welcome_is_refused_before_its_token_is_looked_at() -> None:
    async with door() as node, await trio.open_tcp_stream("127.0.0.1", node.port) as stream:
        await stream.send_all(UPGRADE.replace(b"Host", b"Origin: https://evil.example\r\nHost"))
        answer = await read_all(stream)
        assert answer.startswith(b"HTTP/1.1 403")
        assert b"name it in listen(origins=...)" in answer


def test_the_folder_of_this_file_holds_no_keys() -> None:
    """Certificates are made anew for each run."""
    assert not [*Path(__file__).parent.glob("*.pem"), *Path(__file__).parent.glob("*.key")]
