"""The same facts elsewhere: standard logging, Prometheus, OpenTelemetry.

`logs` needs nothing else. `prometheus` needs the extra `web`, `otel` the extra `otel`: they are
imported by whoever uses them, never by `import actors`.
"""

from actors.observe.export.jsonlines import JsonFormatter
from actors.observe.export.logs import EventLog, log_events

__all__ = ["EventLog", "JsonFormatter", "log_events"]
