"""Spans by OpenTelemetry, sent to an OTLP/HTTP collector. Nothing of it is imported unless the settings ask for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from gateway.settings.engines import TelemetrySettings
from lacolle.errors import ConfigurationError
from schemas.bilingual import Bilingual
from schemas.tracing import Tracing

if TYPE_CHECKING:  # the extra may be missing, and is slow to import
    from opentelemetry.sdk.trace import TracerProvider

_SERVICE: Final = "lacolle"


@contextmanager
def open_tracing(settings: TelemetrySettings | None, *, role: str) -> Iterator[Tracing | None]:
    """Yield who records the spans of a process, None where nobody does; send what is left when the block ends.

    Raises ``ConfigurationError`` where the extra ``telemetry`` is not installed.
    """
    if settings is None:
        yield None
        return
    provider = _provider(settings, role)
    try:
        yield Spans(provider)
    finally:
        provider.shutdown()


class Spans:
    """Records spans; see ``schemas.tracing.Tracing``. What the collector does not take in time is dropped."""

    def __init__(self, provider: TracerProvider) -> None:
        from opentelemetry.trace import get_current_span  # noqa: PLC0415 - an extra
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415 - the same

        self._current = get_current_span
        self._tracer = provider.get_tracer(_SERVICE)
        self._propagator = TraceContextTextMapPropagator()

    @contextmanager
    def span(self, name: str, *, parent: str, **attributes: str) -> Iterator[str]:
        """Record what the block does, an exception's type included, and yield its trace context.

        Without a ``parent`` the span is a child of the one around it, where there is one in this task.
        """
        context = self._propagator.extract({"traceparent": parent}) if parent else None
        with self._tracer.start_as_current_span(
            name, context=context, attributes=_named(attributes), record_exception=False, set_status_on_exception=False
        ) as span:
            carrier: dict[str, str] = {}
            self._propagator.inject(carrier)
            try:
                yield carrier.get("traceparent", parent)
            except Exception as error:
                span.set_attribute("error.type", type(error).__name__)  # its message may repeat an alert
                raise

    def note(self, **attributes: str) -> None:
        """Add to the span of this task."""
        self._current().set_attributes(_named(attributes))


def _named(attributes: Mapping[str, str]) -> dict[str, str]:
    return {f"lacolle.{each}": value for each, value in attributes.items()}


def _provider(settings: TelemetrySettings, role: str) -> Any:  # noqa: ANN401 - an extra's type
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - an extra
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - the same
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - the same
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - the same
        from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased  # noqa: PLC0415 - the same
    except ImportError as error:
        raise ConfigurationError(_MISSING) from error
    provider = TracerProvider(
        resource=Resource.create({"service.name": f"{_SERVICE}-{role}"}),
        sampler=ParentBased(TraceIdRatioBased(settings.share)),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=settings.endpoint)))
    return provider


_MISSING: Final = Bilingual(
    fr="telemetry demande OpenTelemetry, qui n'est pas installé : « pip install lacolle[telemetry] », ou retirez "
    "telemetry des réglages.",
    en="telemetry needs OpenTelemetry, which is not installed: “pip install lacolle[telemetry]”, or remove telemetry "
    "from the settings.",
)
