"""An OTLP/HTTP collector on loopback, which keeps the spans that it is sent."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass(frozen=True)
class Seen:
    """A span, the service that recorded it and the process, by OpenTelemetry's name of its instance."""

    span: Span
    service: str
    instance: str

    @property
    def attributes(self) -> dict[str, str]:
        """Return the span's attributes, each of which is text."""
        return {each.key: each.value.string_value for each in self.span.attributes}


@dataclass
class Collector:
    """Where spans go, those that came, and the requests that brought them, byte for byte."""

    url: str = ""
    seen: list[Seen] = field(default_factory=list)
    requests: list[bytes] = field(default_factory=list)

    def named(self, name: str) -> Span:
        """Return the one span of a name."""
        (found,) = [each.span for each in self.seen if each.span.name == name]
        return found

    def take(self, body: bytes) -> None:
        """Keep what a request brings."""
        self.requests.append(body)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            told = {each.key: each.value.string_value for each in resource.resource.attributes}
            self.seen.extend(
                Seen(span, told["service.name"], told["service.instance.id"])
                for scope in resource.scope_spans
                for span in scope.spans
            )


@contextmanager
def collecting() -> Iterator[Collector]:
    """Yield a collector that listens."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            collector.take(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        collector.url = f"http://127.0.0.1:{server.server_port}/v1/traces"
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()
