"""The observatory: a page, an HTTP API and a live WebSocket over one system. Needs the extra `web`.

from actors.observe.web import start_observatory

observatory = await start_observatory(system)
print(observatory.url)
"""

from importlib.util import find_spec

if any(find_spec(name) is None for name in ("hypercorn", "prometheus_client", "starlette")):
    raise ImportError("the observatory needs an extra: pip install trio-actors[web]")

from actors.observe.web.observatory import Observatory, start_observatory

__all__ = ["Observatory", "start_observatory"]
