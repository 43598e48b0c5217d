"""Whatever alert is valid, its CAP message is what the schema of OASIS accepts, and says it back."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from lxml import etree

from schemas.alerts.catalogue import alert_types, parse_alert
from schemas.formats.cap import read_cap, write_cap
from tests.unit.schemas.alerts.samples import example, faults_of
from tests.unit.schemas.formats.messages import MSP, said

RELAXED = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"], exclude_characters="\ufffe\uffff"), max_size=20)
WORDS = TEXT | st.sampled_from(["", " ", "\n x \t", "]]>", "<b/>", "&amp;", "\r\n", "è̀", "a" * 3_000])
URIS = TEXT | st.sampled_from(
    ["https://[2001:db8::1]:443/a?b#c", "www.example.org", "mailto:a@b", "a b", "%41", "//", "#[]"]
)
TIMES = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31)).map(  # noqa: DTZ001 - the offset is written below
    lambda at: at.replace(microsecond=0).isoformat() + "-05:00"
)
NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, places=2).map(str)
PAIRS = st.fixed_dictionaries({"valueName": WORDS, "value": WORDS})

AREAS = st.fixed_dictionaries(
    {"areaDesc": WORDS},
    optional={
        "polygon": st.lists(st.sampled_from(["0,0 0,1 1,1 0,0", " 5,5\n5,6 6,6 5,5 "]), max_size=2, unique=True),
        "circle": st.lists(st.just("45.0,-73.4 1.5"), max_size=2),
        "geocode": st.lists(PAIRS, max_size=2),
        "altitude": NUMBERS,
    },
)
RESOURCES = st.fixed_dictionaries(
    {"resourceDesc": WORDS, "mimeType": WORDS},
    optional={"size": st.integers().map(str), "uri": URIS, "derefUri": WORDS, "digest": WORDS},
)
INFO = st.fixed_dictionaries(
    {
        "category": st.lists(st.sampled_from(["Met", "Health", "Other"]), min_size=1, max_size=3),
        "event": WORDS,
        "urgency": st.just("Future"),
        "severity": st.just("Minor"),
        "certainty": st.just("Unlikely"),
    },
    optional={
        "language": st.sampled_from(["fr-CA", "en", "zh-Hant-TW"]),
        "responseType": st.lists(st.sampled_from(["AllClear", "None"]), max_size=2),
        "audience": WORDS,
        "effective": TIMES,
        "expires": TIMES,
        "headline": WORDS,
        "description": WORDS,
        "web": URIS,
        "contact": WORDS,
        "area": st.lists(AREAS, max_size=2),
    },
)
HEADER = st.fixed_dictionaries(
    {"info": st.lists(INFO, max_size=2)},
    optional={
        "source": WORDS,
        "restriction": WORDS,
        "code": st.lists(WORDS, max_size=2),
        "note": WORDS,
        "incidents": st.lists(TEXT, max_size=3),
        "addresses": st.lists(TEXT, max_size=2),
        "scope": st.sampled_from(["Public", "Restricted"]),
    },
)
MORE = st.fixed_dictionaries(
    {},
    optional={
        "eventCode": st.lists(PAIRS, max_size=2),
        "parameter": st.lists(PAIRS, max_size=2),
        "resource": st.lists(RESOURCES, max_size=2),
    },
)


def _with_texts(value: Any, draw: st.DrawFn) -> Any:  # noqa: ANN401 - a JSON value
    """Replace some of the longer texts of a body, those that people write."""
    match value:
        case dict():
            return {key: _with_texts(item, draw) for key, item in value.items()}
        case list():
            return [_with_texts(item, draw) for item in value]
        case str() if len(value) > 30:
            return draw(st.just(value) | WORDS)
        case _:
            return value


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a valid alert of any type."""
    domain, name, _ = draw(st.sampled_from(alert_types())).split("/")
    document = {**example(f"{domain}.{name}"), **draw(HEADER)}
    body = _with_texts(document["body"], draw)
    if domain == "emergency-management":
        body = {"info": [draw(MORE) for _ in document["info"]]}
    document["body"] = body
    assume(faults_of(document) == {})
    return document


@RELAXED
@given(documents())
def test_every_alert_leaves_as_cap_that_oasis_accepts(cap_12_schema: etree.XMLSchema, document: dict[str, Any]) -> None:
    """The message is valid by the schema, whatever the alert's type and texts."""
    cap_12_schema.assertValid(etree.fromstring(write_cap(parse_alert(document))))


@RELAXED
@given(documents())
def test_cap_comes_back_as_the_same_cap(document: dict[str, Any]) -> None:
    """A message that is taken in leaves as the same message: CAP to native to CAP loses nothing."""
    message = write_cap(parse_alert(document))
    again = write_cap(parse_alert(read_cap(message, sender=MSP)))
    assert said(etree.fromstring(again)) == said(etree.fromstring(message))
