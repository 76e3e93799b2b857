"""A child in Python: counts the words of a text."""

import json
import sys


def say(**words: object) -> None:
    print(json.dumps(words), flush=True)  # a pipe is no terminal: without flush nothing gets out


say(ready=True)
for line in sys.stdin:
    said = json.loads(line)
    if "stop" in said:
        break
    if "id" not in said:
        continue  # nobody waits, or waits any more: this child does one thing after the other
    text = said.get("request", said.get("message"))
    if not isinstance(text, str):
        say(id=said["id"], error=f"a text is a string, not {text!r}")
        continue
    say(progress=len(text))
    say(id=said["id"], reply=len(text.split()))
