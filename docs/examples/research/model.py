"""A scripted stand-in for a model: a program of its own, spoken to in JSON lines on stdin and stdout.

    python model.py reader | critic | writer

It thinks for a while, reports what it has used, and says the same thing every time. Put a real one in its
place: whatever reads and writes these lines will do, in any language.
"""

import json
import os
import re
import sys
import time
from pathlib import Path

THINKING = 0.02  # seconds a sentence


def say(**line):
    print(json.dumps(line), flush=True)


def read(number, request):
    """Look for facts in one text; a chunk for each that is found."""
    path = Path(request["text"])
    for sentence in path.read_text(encoding="utf-8").splitlines():
        time.sleep(THINKING)
        say(usage={"tokens": len(sentence.split())})
        for what, pattern in request["looking_for"].items():
            if found := re.search(pattern, sentence):
                say(id=number, chunk={"what": what, "value": found[1], "source": path.stem})


def judge(number, request):
    """Sort the facts: what all sources say alike, and where they differ."""
    said = {}
    for fact in request["facts"]:
        time.sleep(THINKING)
        say(usage={"tokens": 10})
        said.setdefault(fact["what"], {}).setdefault(fact["value"], []).append(fact["source"])
    agreed = {what: next(iter(values)) for what, values in said.items() if len(values) == 1}
    disputed = {what: values for what, values in said.items() if len(values) > 1}
    return {"agreed": agreed, "disputed": disputed}


def write(number, request):
    """A report, word by word."""
    for what, value in sorted(request["facts"].items()):
        for word in f"The light at Corran Head was {what} {value}.".split():
            time.sleep(THINKING / 4)
            say(usage={"tokens": 1})
            say(id=number, chunk=word)


def tell_pid(number, request):
    return os.getpid()


work = {"read": read, "judge": judge, "write": write, "pid": tell_pid}
say(ready=True)
for line in sys.stdin:
    asked = json.loads(line)
    if "stop" in asked:
        break
    if "request" in asked:
        request = asked["request"]
        say(id=asked["id"], reply=work[request["$"]](asked["id"], request))
