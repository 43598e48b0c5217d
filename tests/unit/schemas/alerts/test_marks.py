"""No field that identifies a person or tells of health is without its mark, in any type."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from schemas.alerts.catalogue import alert_types, json_schema, marked_paths
from schemas.alerts.marks import HEALTH, IDENTIFYING, Mark, marked_in
from schemas.ids import AlertType

NAMELESS = {
    "emergency-management/infrastructure-disruption/v1",
    "emergency-management/public-warning/v1",
    "emergency-management/resource-offer/v1",
    "emergency-management/resource-request/v1",
    "environment/air-quality/v1",
    "environment/invasive-species/v1",
    "environment/water-contamination/v1",
    "law-enforcement/border-incident/v1",
    "law-enforcement/terrorism-threat/v1",
    "public-health/bioterrorism-agent/v1",
    "public-health/food-recall/v1",
    "public-health/outbreak/v1",
    "public-health/overdose-cluster/v1",
    "public-health/pandemic-phase/v1",
}
"""Types that are about no person; a public warning says only what the public is told."""

PUBLIC = "emergency-management/public-warning/v1"

PERSONAL = {
    "accession",
    "accounts/number",
    "address",
    "aliases",
    "appearance",
    "birthDate",
    "business",
    "cautionNote",
    "circumstances",
    "clothing",
    "documents/number",
    "documents/zone",
    "email",
    "features",
    "name/given",
    "aliases/given",
    "keeper",
    "licence",
    "marks",
    "medicalNote",
    "middle",
    "note",
    "observables/value",
    "occupation",
    "parties/name",
    "phone",
    "photographs",
    "plate",
    "point",
    "premisesId",
    "records/number",
    "remarks",
    "serialNumber",
    "source/number",
    "suffix",
    "surname",
    "target/number",
    "vin",
    "warrants/number",
    "zone",
}
"""Names of members that identify a person, some by the member or the list that they stand in."""

MEDICAL = {
    "condition",
    "diagnosed",
    "died",
    "distress",
    "hospitalised",
    "medical",
    "medicalNote",
    "needs",
    "onset",
    "pregnant",
    "remarks",
    "results",
    "specimen/kind",
    "vaccinations",
}
"""Names of members that tell of a person's health."""

IMPERSONAL = {
    "allies", "brand", "calibre", "caseNumber", "caseRecordId", "code", "colour", "court", "description", "direction",
    "display/en", "display/fr", "importer", "institution", "laboratory", "languages", "localId", "localRecordId",
    "make",
    "malware", "model", "municipality", "name/en", "name/fr", "description/en", "description/fr", "outbreak",
    "provider",
    "rivals", "secondColour", "sequenceId", "service", "specimen", "stamp", "statute", "style", "vendor", "versions",
    "crossing/name", "crossings/name", "group/name", "fronts/name", "organisations/name", "conveyance/name",
    "products/name", "laboratory/name",
}  # fmt: skip
"""Free text that is of things, places and organisations, and of files by their numbers."""

BILINGUAL = {"display/fr", "display/en", "name/fr", "name/en", "description/fr", "description/en", "measures",
             "caseDefinition/fr", "caseDefinition/en", "requests", "suspectedSource"}  # fmt: skip
"""Longer texts of types about no person: names in two languages, and an outbreak's account of itself."""

Member = tuple[tuple[str, ...], Mapping[str, Any]]


def members(schema: Mapping[str, Any], root: Mapping[str, Any], *path: str) -> Iterator[Member]:
    """Yield every member below a schema: the names on the way, without positions in lists, and its own schema."""
    if "$ref" in schema:
        yield from members(root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root, *path)
    for choice in schema.get("anyOf", ()):
        yield from members(choice, root, *path)
    if "items" in schema:
        yield from members(schema["items"], root, *path)
    for name, described in schema.get("properties", {}).items():
        yield from members(described, root, *path, name)
    if path:
        yield path, schema


def unmarked(alert_type: AlertType, mark: Mark) -> Iterator[Member]:
    """Yield what of a type's body has no mark, but the unit that answers for the alert, which is no person."""
    schema = json_schema(alert_type)
    marked = [tuple(step for step in each.split("/")[1:] if step != "*") for each in marked_paths(alert_type, mark)]
    for path, described in members(schema["properties"]["body"], schema):
        if path[0] != "contact" and not any(("body", *path)[: len(each)] == each for each in marked):
            yield path, described


def is_called(path: tuple[str, ...], names: set[str]) -> bool:
    """Whether a member is called by one of the names, alone or after the member that holds it."""
    return path[-1] in names or "/".join(path[-2:]) in names


def is_free(schema: Mapping[str, Any]) -> bool:
    """Whether a schema takes words as they come: neither a closed list nor a code of letters and digits."""
    return schema.get("type") == "string" and "enum" not in schema and schema.get("pattern", "^[^").startswith("^[^")


def is_closed(schema: Mapping[str, Any]) -> bool:
    """Whether a member is out of a closed list of words, or a list of such."""
    return "enum" in schema or "const" in schema or "enum" in schema.get("items", {})


PERSONS = [each for each in alert_types() if each not in NAMELESS]


@pytest.mark.parametrize("alert_type", [each for each in alert_types() if each in NAMELESS])
def test_types_about_no_person_have_no_marks(alert_type: AlertType) -> None:
    """A cluster, a threat or a thing carries no person, so that nothing of it is withheld for one."""
    assert marked_paths(alert_type, "identifying") == marked_paths(alert_type, "health") == ()


@pytest.mark.parametrize("alert_type", PERSONS)
def test_what_is_called_like_a_person_is_marked(alert_type: AlertType) -> None:
    """A member called like what identifies a person is marked, wherever it stands."""
    assert {
        "/".join(path)
        for path, described in unmarked(alert_type, "identifying")
        if is_called(path, PERSONAL) and not is_closed(described)
    } == set()


@pytest.mark.parametrize("alert_type", PERSONS)
def test_free_text_about_persons_is_marked(alert_type: AlertType) -> None:
    """Words as they come may name a person: each such member is marked, or is known to be of something else."""
    assert {
        "/".join(path)
        for path, described in unmarked(alert_type, "identifying")
        if is_free(described) and not is_called(path, IMPERSONAL)
    } == set()


@pytest.mark.parametrize("alert_type", PERSONS)
def test_what_tells_of_health_is_marked(alert_type: AlertType) -> None:
    """A member called like a fact about somebody's health is marked so, wherever it stands."""
    assert {"/".join(path) for path, _ in unmarked(alert_type, "health") if is_called(path, MEDICAL)} == set()


@pytest.mark.parametrize("alert_type", [each for each in alert_types() if each in NAMELESS - {PUBLIC}])
def test_types_about_no_person_have_no_room_for_one(alert_type: AlertType) -> None:
    """Where nothing is marked, no member is called like a person's, and no text of a body is longer than a label."""
    for path, described in unmarked(alert_type, "identifying"):
        assert not is_called(path, PERSONAL - {"appearance", "point"}), path
        assert not is_free(described) or described["maxLength"] <= 4_096 or is_called(path, BILINGUAL), path


@pytest.mark.parametrize("mark", ["identifying", "health"])
@pytest.mark.parametrize("alert_type", alert_types())
def test_the_header_tells_no_more_than_the_body(alert_type: AlertType, mark: Mark) -> None:
    """Where the body has something marked, so is the header's free text: a headline names whom the body names."""
    found = marked_paths(alert_type, mark)
    header = {each for each in found if not each.startswith("/body")}
    told = {"/note", *(f"/info/*/{name}" for name in ("headline", "description", "instruction", "web"))}
    assert header == (told if any(each.startswith("/body") for each in found) else set())


class _Inner(BaseModel):
    kind: Literal["inner"]
    secret: Annotated[str, IDENTIFYING]


class _Other(BaseModel):
    kind: Literal["other"]
    ill: Annotated[bool | None, HEALTH, IDENTIFYING] = None


class _Outer(BaseModel):
    either: Annotated[_Inner | _Other, Field(discriminator="kind")]
    several: list[_Inner | None] | None = None
    pair: tuple[_Inner, Annotated[str, HEALTH]]
    deep: list[list[_Other]]
    whole: Annotated[_Inner, HEALTH]


class _Itself(BaseModel):
    again: _Itself | None = None


class _Open(BaseModel):
    named: dict[str, _Inner]


def test_marks_are_found_wherever_they_are() -> None:
    """Through unions with and without a tag, lists of lists, pairs, references and objects marked as a whole."""
    schema = _Outer.model_json_schema()
    assert set(marked_in(schema, "identifying")) == {
        "/either/secret",
        "/either/ill",
        "/several/*/secret",
        "/pair/0/secret",
        "/deep/*/*/ill",
        "/whole/secret",
    }
    assert set(marked_in(schema, "health")) == {"/either/ill", "/pair/1", "/deep/*/*/ill", "/whole"}


@pytest.mark.parametrize("model", [_Itself, _Open])
def test_what_no_pointer_can_name_is_refused(model: type[BaseModel]) -> None:
    """A model that is part of itself, or open, would hide marks: it is no body of an alert."""
    with pytest.raises(ValueError, match="no pointer"):
        marked_in(model.model_json_schema(), "identifying")
