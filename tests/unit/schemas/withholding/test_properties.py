"""For random alerts and random clauses no withheld value leaves, in no form that anybody could read off the bytes.

The oracle here is written by hand and shares nothing with the product: its own walk, its own encodings.
"""

from __future__ import annotations

import base64
import json
import random
import re
import unicodedata
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import partial
from typing import Any
from urllib.parse import quote

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from schemas.alerts.catalogue import alert_types, json_schema, marked_paths
from schemas.decisions import Treatment, Withholding
from schemas.ids import AlertType, KeyId
from schemas.signing.keys import SigningKey
from schemas.signing.sd_jwt import NotSeparableError, read_sd_jwt, verify_sd_jwt
from schemas.signing.sd_jwt_issuing import issue
from schemas.withholding.copies import sign_derived, sign_manifest, withhold_from
from schemas.withholding.disclosable import disclosable
from schemas.withholding.plan import plan
from tests.unit.schemas.alerts.samples import example
from tests.unit.schemas.withholding.documents import ALERT_ID, CRIME, EXCHANGE, HEALTH, SUBMISSION, Json, copy_of

AGENCY = SigningKey.generate(KeyId("ca-qc.sq.2026-1"), "Ed25519")
Steps = tuple[str | int, ...]

SEEDS = [example(name.rpartition("/")[0].replace("/", ".")) for name in alert_types()]
"""One valid alert of every type there is."""

ENCODINGS: list[Callable[[str], str]] = [
    lambda text: text,
    lambda text: text.upper(),
    lambda text: text.lower(),
    lambda text: unicodedata.normalize("NFD", text),
    lambda text: unicodedata.normalize("NFKC", text),
    lambda text: "".join(each for each in unicodedata.normalize("NFD", text) if not unicodedata.combining(each)),
    lambda text: re.sub(r"[\W_]", "", text),
    lambda text: re.sub(r"[\W_]+", " . ", text),
    " ".join,
    lambda text: ", ".join(reversed(text.split(" ", 1))),
    partial(quote, safe=""),
    lambda text: "".join(f"%{byte:02X}" for byte in text.encode()),
    lambda text: "".join(f"&#{ord(each)};" for each in text),
    lambda text: json.dumps(text.encode().decode("latin-1")) if text.isascii() else json.dumps(text),
    lambda text: text.encode().hex(),
    lambda text: text.encode().hex("-").upper(),
    *((lambda text, pad=pad: base64.b64encode(b"~" * pad + text.encode() + b"~~").decode()) for pad in range(3)),
    lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
]


def scalars(value: Any, place: Steps = ()) -> Iterator[tuple[Steps, Any]]:  # noqa: ANN401 - any JSON value
    """Yield every scalar with its place."""
    if isinstance(value, dict):
        for name, member in value.items():
            yield from scalars(member, (*place, name))
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from scalars(item, (*place, position))
    else:
        yield place, value


def pattern(place: Steps) -> str:
    """Write a place as an agreement does."""
    return "".join("/" + ("*" if isinstance(step, int) else step) for step in place)


def is_under(place: Steps, withheld: str) -> bool:
    """Say whether a pattern names a place or what encloses it."""
    return (pattern(place) + "/").startswith(withheld + "/")


def public_words(schema: Any) -> Iterator[str]:  # noqa: ANN401 - any part of a JSON Schema
    """Yield the values of every closed list of a schema."""
    if isinstance(schema, dict):
        yield from (each for each in schema.get("enum", ()) if isinstance(each, str))
        if isinstance(schema.get("const"), str):
            yield schema["const"]
        for member in schema.values():
            yield from public_words(member)
    elif isinstance(schema, list):
        for item in schema:
            yield from public_words(item)


def telling(value: object) -> bool:
    """Say whether a value must not be recognised: five letters or digits, and no public word."""
    return isinstance(value, str) and len(re.sub(r"[\W_]", "", value)) >= 5


def forms(value: str) -> set[str]:
    """Return the forms that no byte of a copy may hold, in lower case."""
    plain = {value, unicodedata.normalize("NFC", value), unicodedata.normalize("NFD", value)}
    bare = "".join(each for each in unicodedata.normalize("NFD", value) if not unicodedata.combining(each))
    plain |= {bare, re.sub(r"[\W_]", "", value), re.sub(r"[\W_]", "", bare)}
    if value.count(" ") == 1:
        plain.add(", ".join(reversed(value.split(" "))))
    written = set(plain)
    for each in plain:
        written |= {quote(each, safe=""), json.dumps(each)[1:-1], each.encode().hex()}
    for each in (value, bare, value.upper(), value.lower()):
        for pad in range(3):
            coded = base64.b64encode(b"\x00" * pad + each.encode()).decode().rstrip("=")
            written.add(coded[(0, 2, 3)[pad] : -1])
    return {each.lower() for each in written if len(each) >= 5}


def shown(document: Any) -> str:  # noqa: ANN401 - any JSON value
    """Return all that can be read off a document, times of the message and public words left out, in lower case."""
    words = set(public_words(json_schema(AlertType(document["type"])))) if "type" in document else set()
    kept = []
    for place, value in scalars(document):
        if value in words or (place[-1] in ("sent", "expires", "effective") and place[0] != "body"):
            continue
        if place[0] == "references" and isinstance(value, str):
            value = value.rpartition(",")[0]  # noqa: PLW2901 - the rest is the time of another message
        kept += [str(step) for step in place] + [str(value)]
    text = "\n".join(kept)
    bare = "".join(each for each in unicodedata.normalize("NFD", text) if not unicodedata.combining(each))
    lines = [re.sub(r"[\W_]", "", line) for line in (text + "\n" + bare).split("\n")]
    return "\n".join([text, bare, json.dumps(kept), *lines]).lower()


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Json, list[Withholding]]:
    """Make an alert with withheld values strewn over its prose in all encodings, and what is withheld of it."""
    document = deepcopy(draw(st.sampled_from(SEEDS)))
    alert_type = AlertType(document["type"])
    rename(draw, document)
    inner = [(place, value) for place, value in scalars(document) if place[0] in ("body", "info", "note")]
    spots = sorted({pattern(place[:depth]) for place, _ in inner for depth in range(2, len(place) + 1)})
    chosen = draw(st.lists(st.sampled_from(spots), min_size=1, max_size=4))
    treatments = st.sampled_from([Treatment.REDACT, Treatment.REDACT, *Treatment])
    withheld = [Withholding(each, draw(treatments), "", draw(st.sampled_from([CRIME, HEALTH]))) for each in chosen]
    if draw(st.booleans()):
        treatment = draw(treatments)
        withheld += [
            Withholding(path, treatment, "identifying", CRIME) for path in marked_paths(alert_type, "identifying")
        ]
    lost = [
        value for place, value in inner if any(is_under(place, each.pointer) for each in withheld) and telling(value)
    ]
    assume(lost)
    for _ in range(draw(st.integers(1, 4))):
        strew(draw, document, draw(st.sampled_from(lost)))
    return document, withheld


def rename(draw: st.DrawFn, document: Json) -> None:
    """Give members of the body that hold text of their own other texts."""
    text = st.text(
        alphabet=st.sampled_from("abcdeéèçßøłXYZÉ 0123456789-'/\u2019\u00a0漢字"), min_size=6, max_size=24
    ).filter(telling)
    words = set(public_words(json_schema(AlertType(document["type"]))))
    for place, value in list(scalars(document["body"])):
        if (
            isinstance(value, str)
            and value not in words
            and not re.match(r"\d{4}-|[A-Z]{2}(-|$)", value)
            and draw(st.booleans())
        ):
            put(document["body"], place, draw(text))


def strew(draw: st.DrawFn, document: Json, value: str) -> None:
    """Write a value, encoded, into one text of the alert or into a new one."""
    spelt = draw(st.sampled_from(ENCODINGS))(value)
    around = draw(st.sampled_from(["{}", "Voir {} ici.", "<{}>", "dossier={}&x", "«\u00a0{}\u00a0»"])).format(spelt)
    info = draw(st.sampled_from(document["info"]))
    match draw(st.integers(0, 5)):
        case 0:
            document["note"] = around
        case 1:
            info[draw(st.sampled_from(["headline", "description", "instruction", "contact", "audience"]))] = around
        case 2:
            document["incidents"] = [*document.get("incidents", []), around]
        case 3:
            document.setdefault("body", {})["remarks"] = around
        case 4:
            info.setdefault("parameter", []).append({"valueName": "x", "value": around})
        case _:
            document["more"] = {around: 1}


def put(document: Any, place: Steps, value: object) -> None:  # noqa: ANN401 - any JSON value
    """Replace what stands at a place."""
    for step in place[:-1]:
        document = document[step]
    document[place[-1]] = value


def lost_values(document: Json, withheld: list[Withholding]) -> list[str]:
    """Return the telling values that are under any withheld pattern and are no public word or code of a place."""
    words = set(public_words(json_schema(AlertType(document["type"]))))
    return [
        value
        for place, value in scalars(document)
        if any(is_under(place, each.pointer) for each in withheld)
        and telling(value)
        and value not in words
        and place[-1] not in ("valueName", "mimeType")
        and not re.fullmatch(r"[A-Z]{2}-[A-Z]{2,3}", value)
        and value[:10] != document["sent"][:10]
        and not (any(each.treatment is Treatment.REGION for each in withheld) and re.fullmatch(r"0..000|..", value))
    ]


def leaks(document: Json, withheld: list[Withholding], text: str) -> list[str]:
    """Return the withheld values that can be read off a text."""
    return [value for value in lost_values(document, withheld) for form in forms(value) if form in text]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(worlds())
def test_nothing_withheld_is_in_a_derived_copy(world: tuple[Json, list[Withholding]]) -> None:
    """Neither the copy nor its manifest holds a withheld value; deriving again gives the same bytes."""
    document, withheld = world
    copy = copy_of(document, withheld)
    signed = sign_derived(copy, key=EXCHANGE)
    assert signed == sign_derived(copy_of(document, withheld), key=EXCHANGE)
    payload = json.loads(base64.urlsafe_b64decode(signed.split(b".")[1] + b"=="))
    made = re.compile("pseudonym:[A-Za-z0-9_-]{22}")
    assert leaks(document, withheld, made.sub("", shown(payload["alert"]))) == []
    manifest = shown({**payload["manifest"], "original": "", "alert_id": ""})
    for each in withheld:
        manifest = manifest.replace(each.pointer.lower(), "")
    assert [value for value in lost_values(document, withheld) if value.lower() in manifest] == []


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(worlds())
def test_what_is_not_withheld_is_unchanged(world: tuple[Json, list[Withholding]]) -> None:
    """Taking out by hand the places that the plan names gives the copy, where nothing but redaction is asked for."""
    document, some = world
    withheld = [Withholding(each.pointer, Treatment.REDACT, each.mark, each.under) for each in some]
    planned = plan(document, alert_type=AlertType(document["type"]), withholdings=withheld)
    expected: Any = deepcopy(document)
    gone = {cut.place for cut in planned.cuts}
    for place in sorted(gone, key=lambda place: [str(step).zfill(9) for step in place], reverse=True):
        container = expected
        for step in place[:-1]:
            container = container[step]
        del container[place[-1]]
    assert copy_of(document, withheld).alert == expected


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(worlds())
def test_nothing_withheld_is_in_a_presented_sd_jwt(world: tuple[Json, list[Withholding]]) -> None:
    """Neither the signed payload nor a disclosure that is left holds a withheld value, or nothing is sent at all."""
    document, withheld = world
    alert_type = AlertType(document["type"])
    source = random.Random(11)  # noqa: S311 - salts of a test
    patterns = (*disclosable(alert_type), "/info/*/parameter/*", "/body/*", "/more", "/incidents/*")
    data = issue(document, disclosable=patterns, key=AGENCY, iat=1_768_676_709, randomness=source.randbytes)
    whole = verify_sd_jwt(read_sd_jwt(data), AGENCY.public)
    try:
        copy = withhold_from(
            whole, alert_type=alert_type, withholdings=withheld, alert_id=ALERT_ID, original=SUBMISSION
        )
    except NotSeparableError:
        return
    assert copy is not None
    jws, *texts, _ = copy.sd_jwt.split(b"~")
    payload = json.loads(base64.urlsafe_b64decode(jws.split(b".")[1] + b"=="))
    contents = [json.loads(base64.urlsafe_b64decode(text + b"==")) for text in texts]
    read = [shown({**payload, "disclosed": [each[1:] for each in contents]})]
    read.append(shown(verify_sd_jwt(read_sd_jwt(copy.sd_jwt), AGENCY.public).document))
    own = re.compile(r"\d{4}-\d\d-\d\dt[\d:]{8}[-+][\d:]{5}")
    assert leaks(document, withheld, own.sub("", read[0])) == []
    assert leaks(document, withheld, read[1]) == []
    assert copy.sd_jwt == present_again(document, withheld, data)
    assert sign_manifest(copy.manifest, key=EXCHANGE)


def present_again(document: Json, withheld: list[Withholding], data: bytes) -> bytes:
    """Withhold from the same SD-JWT a second time, in another order."""
    copy = withhold_from(
        verify_sd_jwt(read_sd_jwt(data), AGENCY.public),
        alert_type=AlertType(document["type"]),
        withholdings=withheld[::-1],
        alert_id=ALERT_ID,
        original=SUBMISSION,
    )
    assert copy is not None
    return copy.sd_jwt
