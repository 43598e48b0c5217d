"""Spans: recorded by OpenTelemetry where the settings ask for it, sent to a collector, and silent otherwise."""

from __future__ import annotations

import subprocess
import sys

import pytest

from gateway.settings.engines import TelemetrySettings
from lacolle.processes.telemetry import open_tracing
from schemas.tracing import UNTRACED, read_traceparent, traceparent_of
from tests.servers.collector import collecting

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_spans_reach_the_collector() -> None:
    """A span is a child of the context it is given, its own context names it, one within another is its child.

    What is noted within a span is its attribute.
    """
    with collecting() as collector:
        with open_tracing(TelemetrySettings(endpoint=collector.url), role="gateway") as tracing:
            assert tracing is not None
            with tracing.span("accept", parent=PARENT) as accept, tracing.span("commit", parent="") as commit:
                pass
            with tracing.span("relay", parent=accept, alert_id="a") as relay:
                tracing.note(lane="urgent")
        spans = {name: collector.named(name) for name in ("accept", "commit", "relay")}
    assert {span.trace_id.hex() for span in spans.values()} == {PARENT.split("-")[1]}
    assert spans["accept"].parent_span_id.hex() == PARENT.split("-")[2]
    assert spans["commit"].parent_span_id == spans["relay"].parent_span_id == spans["accept"].span_id
    for name, context in (("accept", accept), ("commit", commit), ("relay", relay)):
        assert context.split("-")[2] == spans[name].span_id.hex()
    assert {each.key: each.value.string_value for each in spans["relay"].attributes} == {
        "lacolle.alert_id": "a",
        "lacolle.lane": "urgent",
    }


def test_an_error_is_named_and_its_message_is_not() -> None:
    """What breaks in a span breaks as before; the span has the error's type, never its words."""
    with collecting() as collector:
        with open_tracing(TelemetrySettings(endpoint=collector.url), role="relay") as tracing:
            assert tracing is not None
            with pytest.raises(KeyError), tracing.span("relay", parent=PARENT):
                raise KeyError("a name")
        span = collector.named("relay")
    assert {each.key: each.value.string_value for each in span.attributes} == {"error.type": "KeyError"}
    assert not span.events


def test_nothing_is_imported_where_nothing_is_recorded() -> None:
    """Without the setting, OpenTelemetry's SDK and exporter stay out of the process (FastAPI imports the API)."""
    program = "import sys, lacolle.processes.node, lacolle.processes; sys.exit('opentelemetry.sdk' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
    with open_tracing(None, role="serve") as tracing:
        assert tracing is None
    with UNTRACED.span("accept", parent=PARENT) as context:
        assert context == PARENT


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (PARENT, PARENT),
        (PARENT.replace("00-", "01-", 1) + "-more", PARENT),
        (PARENT + "-more", ""),
        (PARENT.replace("00-", "ff-", 1), ""),
        (PARENT.upper(), ""),
        ("00-" + "0" * 32 + "-00f067aa0ba902b7-01", ""),
        (f"00-{'a' * 32}-{'0' * 16}-01", ""),
        ("", ""),
        ("x" * 10_000, ""),
    ],
)
def test_a_trace_context_is_read_as_the_standard_says(given: str, read: str) -> None:
    """Version 00 to the letter, a later one as far as 00 goes; what is invalid is as if it were not there."""
    assert read_traceparent(given.encode()) == read
    assert traceparent_of([(b"host", b"a"), (b"traceparent", given.encode())]) == read
    assert not traceparent_of([(b"traceparent", given.encode())] * 2)
