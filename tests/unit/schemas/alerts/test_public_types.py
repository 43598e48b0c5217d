"""The bodies of public health, environment and mutual aid keep the rules of their fields."""

from __future__ import annotations

from typing import Literal

import pytest

from schemas.alerts.types.air_quality import category_of
from tests.unit.schemas.alerts.samples import EXAMPLES, edited, faults_of


def name_of(name: str) -> str:
    """Return what an example is called, by the type's name without its domain."""
    (found,) = EXAMPLES.glob(f"*.{name}.valid.json")
    return found.name.removesuffix(".valid.json")


LINE = {"line": 1, "kind": "boat", "quantity": 1}


@pytest.mark.parametrize(
    ("name", "edits", "expected"),
    [
        ("laboratory-result", {"specimen__received": "2026-05-16"}, {"/specimen/received": "days-out-of-order"}),
        ("laboratory-result", {"specimen__received": None, "reported": "2026-05-16"},
         {"/reported": "days-out-of-order"}),
        ("laboratory-result", {"specimen__received": None, "specimen__collected": None, "reported": "2020-01-01"}, {}),
        ("laboratory-result", {"results": []}, {"/results": "final-without-result"}),
        ("laboratory-result", {"results": [], "status": "registered"}, {}),
        ("laboratory-result", {"results__0__result": "pending"}, {"/results/0/result": "final-and-pending"}),
        ("laboratory-result", {"results__0__result": "pending", "status": "preliminary"}, {}),
        ("bioterrorism-agent", {"detections__0__level": "sentinel-presumptive"}, {"/state": "confirmed-by-none"}),
        ("bioterrorism-agent", {"detections__0__level": "sentinel-presumptive", "state": "suspected"}, {}),
        ("bioterrorism-agent", {"detections__0__level": "national-confirmed"}, {}),
        ("bioterrorism-agent", {"lawEnforcementNotified": False}, {"/lawEnforcementNotified": "police-untold"}),
        ("bioterrorism-agent", {"lawEnforcementNotified": False, "release": "natural"}, {}),
        ("bioterrorism-agent", {"detections__0__positive": 5}, {"/detections/0/positive": "part-above-whole"}),
        ("pandemic-phase", {"previousPhase": "alert"}, {"/previousPhase": "phase-unchanged"}),
        ("pandemic-phase", {"previousPhase": None}, {}),
        ("pandemic-phase", {"phase": "pandemic"}, {"/spread": "pandemic-without-spread"}),
        ("pandemic-phase", {"phase": "pandemic", "spread": "widespread"}, {}),
        ("pandemic-phase",
         {"phase": "interpandemic", "previousPhase": "transition", "emergencyOfInternationalConcern": True},
         {"/emergencyOfInternationalConcern": "emergency-between-pandemics"}),
        ("overdose-cluster", {"counts": {"nonFatal": 1, "fatal": 1}}, {}),
        ("overdose-cluster", {"counts": {"nonFatal": 1, "fatal": 0}}, {"/counts/nonFatal": "no-cluster"}),
        ("overdose-cluster", {"counts__expected": 9}, {"/counts/expected": "no-more-than-expected"}),
        ("overdose-cluster", {"counts__hospitalised": 10}, {"/counts/hospitalised": "part-above-whole"}),
        ("overdose-cluster", {"ages__most": 18}, {"/ages/most": "ages-reversed"}),
        ("overdose-cluster", {"state": "over", "period__until": None}, {"/period": "over-without-end"}),
        ("overdose-cluster", {"state": "over"}, {}),
        ("food-recall", {"products__0__gtin": "4006381333930"}, {"/products/0/gtin": "gtin-check-digit"}),
        ("food-recall", {"products__0__gtin": "40063813339"}, {"/products/0/gtin": "string-pattern-mismatch"}),
        ("food-recall", {"firm__gln": "4006381333932"}, {"/firm/gln": "gln-check-digit"}),
        ("food-recall", {"firm__lei": "5493001KJTIIGC8Y1R13"}, {"/firm/lei": "lei-check-digits"}),
        ("food-recall", {"hazard": "undeclared-allergen"}, {"/allergens": "allergen-unnamed"}),
        ("food-recall", {"hazard": "undeclared-allergen", "allergens": ["milk"]}, {}),
        ("food-recall", {"agent": None}, {"/agent": "agent-unnamed"}),
        ("food-recall", {"agent": None, "state": "investigation"}, {}),
        ("food-recall", {"trace__1__on": "2026-08-31"}, {"/trace": "trace-out-of-order"}),
        ("food-recall", {"products__0__bestBefore__last": "2026-09-30"},
         {"/products/0/bestBefore/last": "times-reversed"}),
        ("animal-disease", {"outbreaks__0__animals__0__deaths": 641},
         {"/outbreaks/0/animals/0/deaths": "part-above-whole",
          "/outbreaks/0/animals/0/killedAndDisposed": "part-above-whole"}),
        ("animal-disease", {"outbreaks__0__animals__0__cases": 8201},
         {"/outbreaks/0/animals/0/cases": "part-above-whole"}),
        ("animal-disease", {"outbreaks__0__animals__0__susceptible": None}, {}),
        ("animal-disease", {"outbreaks__0__ended": "2026-09-27"}, {"/outbreaks/0/ended": "ended-before-begun"}),
        ("animal-disease", {"humanCases": 1, "zoonotic": False}, {"/zoonotic": "human-cases-without-zoonosis"}),
        ("animal-disease", {"zoonotic": False}, {}),
        ("animal-disease", {"state": "resolved"}, {"/outbreaks/0/ended": "resolved-and-going-on"}),
        ("animal-disease", {"state": "resolved", "outbreaks__0__ended": "2026-10-20"}, {}),
        ("air-quality", {"indices__0__category": "low-risk"}, {"/indices/0/category": "category-of-another-value"}),
        ("air-quality", {"indices__0__category": "hazardous"}, {"/indices/0/category": "category-of-another-value"}),
        ("air-quality", {"indices": []}, {}),
        ("air-quality", {"indices": [], "measurements": []}, {"/indices": "nothing-measured"}),
        ("water-contamination", {"advice": ["boil"]}, {"/advice": "boiling-harms"}),
        ("water-contamination", {"advice": ["boil"], "contaminants__0__kind": "microbial"}, {}),
        ("water-contamination", {"advice": ["none", "do-not-use"]}, {"/advice": "none-and-some"}),
        ("water-contamination", {"advice": ["none"]}, {}),
        ("water-contamination", {"contaminants__0__unit": None}, {"/contaminants/0/unit": "unit-missing"}),
        ("invasive-species", {"occurrences": []}, {"/occurrences": "present-unseen"}),
        ("invasive-species", {"occurrences": [], "establishment": "eradicated"}, {}),
        ("invasive-species", {"occurrences__1__individuals": 1}, {"/occurrences/1/individuals": "absent-and-counted"}),
        ("invasive-species", {"occurrences__1__individuals": 0}, {}),
        ("invasive-species", {"taxon__scientificName": "zebra mussel"},
         {"/taxon/scientificName": "string-pattern-mismatch"}),
        ("invasive-species", {"taxon__scientificName": "Mentha \xd7 piperita"}, {}),
        ("resource-request", {"resources": [LINE, LINE]}, {"/resources": "lines-repeated"}),
        ("resource-request", {"resources": [LINE, {**LINE, "line": 2}]}, {}),
        ("resource-request", {"declaration": None}, {"/declaration": "declaration-missing"}),
        ("resource-request", {"declaration": None, "compact": "bilateral"}, {}),
        ("resource-request", {"declaration": None, "event": "exercise"}, {}),
        ("resource-offer", {"request": None}, {"/request": "request-or-unsolicited"}),
        ("resource-offer", {"request": None, "answer": "unsolicited"}, {}),
        ("resource-offer", {"answer": "unsolicited"}, {"/request": "request-or-unsolicited"}),
        ("resource-offer", {"conditions": []}, {"/conditions": "conditions-missing"}),
        ("resource-offer", {"conditions": [], "answer": "accept"}, {}),
        ("resource-offer", {"resources": []}, {"/resources": "resources-of-offer"}),
        ("resource-offer", {"answer": "decline", "declineReason": "own-emergency", "resources": []}, {}),
        ("resource-offer", {"answer": "decline"},
         {"/declineReason": "reason-of-decline", "/resources": "resources-of-offer"}),
        ("resource-offer", {"declineReason": "own-emergency"}, {"/declineReason": "reason-of-decline"}),
        ("infrastructure-disruption", {"customers__0__without": 61_001}, {"/customers/0/without": "part-above-whole"}),
        ("infrastructure-disruption", {"customers__0__served": 60_000}, {"/customers/0/served": "part-above-whole"}),
        ("infrastructure-disruption", {"state": "restored"}, {"/state": "restored-and-down"}),
        ("infrastructure-disruption", {"state": "restored", "customers__0__without": 0},
         {"/state": "restored-and-down"}),
        ("infrastructure-disruption",
         {"state": "restored", "customers__0__without": 0, "facilities__0__state": "restored"}, {}),
        ("infrastructure-disruption", {"sector": "water"}, {"/energyAlert": "energy-alert-elsewhere"}),
        ("infrastructure-disruption", {"sector": "water", "energyAlert": None}, {}),
    ],
)  # fmt: skip
def test_rules(name: str, edits: dict[str, object], expected: dict[str, str]) -> None:
    """Each rule points to the member that breaks it, and lets pass what keeps it."""
    assert faults_of(edited(name_of(name), **edits)) == {f"/body{place}": code for place, code in expected.items()}


@pytest.mark.parametrize(
    ("scheme", "most", "category"),
    [
        ("AQHI", 3, "low-risk"),
        ("AQHI", 6, "moderate-risk"),
        ("AQHI", 10, "high-risk"),
        ("AQHI", 999, "very-high-risk"),
        ("AQI", 50, "good"),
        ("AQI", 100, "moderate"),
        ("AQI", 150, "unhealthy-for-sensitive-groups"),
        ("AQI", 200, "unhealthy"),
        ("AQI", 300, "very-unhealthy"),
        ("AQI", 999, "hazardous"),
    ],
)
def test_categories_end_where_the_index_says(scheme: Literal["AQHI", "AQI"], most: int, category: str) -> None:
    """A category reaches up to its last value, and the next value is in the next one."""
    assert category_of(scheme, most) == category
    assert most == 999 or category_of(scheme, most + 1) != category
