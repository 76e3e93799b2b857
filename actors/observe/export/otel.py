"""OpenTelemetry for a system: one trace through tell, ask, posted messages and links, and its figures.

Needs the extra `otel`: `pip install trio-actors[otel]`. Only the API is used; whoever starts the program
chooses the SDK and where spans go.
"""

from actors.observe.export.meters import observe
from actors.observe.export.spans import Tracing, trace

__all__ = ["Tracing", "observe", "trace"]
