"""Who the team of review.toml is made of."""

import actors


@actors.message
class Read(actors.Request[str]):
    text: str


class Reader(actors.Actor):
    def __init__(self, signature: str, severity: int) -> None:
        self.signature = signature
        self.severity = severity

    @actors.receive
    def read(self, message: Read) -> str:
        return f"{self.signature}: {len(message.text.split()) - self.severity} of 10"


async def chair(ctx: actors.Context, text: str) -> list[str]:
    """Its siblings exist when it runs: it stands last in the file."""
    return [await reader.ask(Read(text)) for reader in ctx.system.peers(ctx.ref)]
