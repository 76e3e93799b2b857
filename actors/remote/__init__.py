"""Other nodes: links, sessions, refs everywhere, children over there. The protocol is in docs/protocol.md."""

from actors.remote.link import LinkState
from actors.remote.peer import Listener, Peer

__all__ = ["LinkState", "Listener", "Peer"]
