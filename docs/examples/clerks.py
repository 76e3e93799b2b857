"""Who agents may spawn in mcp.toml."""

import trio

import actors


@actors.message(tag="clerks.Count")
class Count(actors.Request[str]):
    text: str


class Clerk(actors.Actor):
    """Counts the words of what it is given, with some care."""

    def __init__(self, care: float = 0.1) -> None:
        self.care = care
        self.words = 0

    @actors.receive
    async def count(self, message: Count) -> str:
        for word in message.text.split():
            await trio.sleep(self.care / 10)
            self.ctx.progress(word)
            self.words += 1
        return f"{len(message.text.split())} words, {self.words} since the beginning"
