"""The bodies of police matters keep the rules of their fields."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.alerts.catalogue import parse_alert
from tests.unit.schemas.alerts.samples import edited, faults_of

SPECIMEN = ["P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L898902C36UTO7408122F1204159ZE184226B<<<<<10"]
"""The specimen passport of ICAO Doc 9303-4, appendix B."""

CARD = ["I<UTOD231458907<<<<<<<<<<<<<<<", "7408122F1204159UTO<<<<<<<<<<<6", "ERIKSSON<<ANNA<MARIA<<<<<<<<<<"]
"""The specimen card of ICAO Doc 9303-5, appendix B."""


def document(**members: object) -> dict[str, object]:
    """Return a stolen passport with some members replaced."""
    return {"kind": "passport", "issuer": "CA", "state": "stolen", "number": "ZZ000000", **members}


def reported(*documents: dict[str, object]) -> dict[str, Any]:
    """Return an alert about documents, none of them said to be false."""
    return edited("law-enforcement.identity-document", documents=list(documents), features=[])


RUN = {"first": "X100", "last": "X199"}


@pytest.mark.parametrize(
    ("passport", "expected"),
    [
        (document(), {}),
        (document(number=None, zone=SPECIMEN), {}),
        (document(number=None), {"/number": "document-not-identified"}),
        (document(number=None, state="counterfeit"), {}),
        (document(state="stolen-blank", number=None, blanks=RUN), {}),
        (document(state="stolen-blank"), {}),
        (document(state="stolen-blank", number=None), {"/number": "document-not-identified"}),
        (document(blanks=RUN), {"/blanks": "run-of-no-blanks"}),
        (document(state="stolen-blank", blanks={"first": "X100", "last": "X099"}), {"/blanks/last": "run-reversed"}),
        (document(state="stolen-blank", blanks={"first": "X100", "last": "X1000"}), {"/blanks/last": "run-reversed"}),
        (document(zone=CARD), {}),
        (document(zone=SPECIMEN[:1]), {"/zone": "zone-of-no-format"}),
        (document(zone=[SPECIMEN[0], CARD[0]]), {"/zone": "zone-of-no-format"}),
        (document(issued="2021-01-01", expires="2020-12-31"), {"/expires": "expires-before-issued"}),
        (document(issued="2021-01-01", expires="2021-01-01"), {}),
    ],
)
def test_documents(passport: dict[str, object], expected: dict[str, str]) -> None:
    """A document has a number or a zone of one of ICAO's formats; only stolen blanks are a run of numbers."""
    given = {name: value for name, value in passport.items() if value is not None}
    assert faults_of(reported(given)) == {f"/body/documents/0{place}": code for place, code in expected.items()}


def test_a_wrong_digit_of_a_zone_is_advice_where_the_document_is_called_genuine() -> None:
    """Number, birth date and expiry are checked in either format; of a forgery a wrong digit is no news."""
    wrong_number = [SPECIMEN[0], SPECIMEN[1].replace("L898902C36", "L898902C37")]
    wrong_birth = [CARD[0], CARD[1].replace("7408122", "7408121"), CARD[2]]
    for zone in (wrong_number, wrong_birth):
        assert [each.en for each in parse_alert(reported(document(zone=zone))).advice()] == [
            "A check digit of the machine-readable zone does not hold."
        ]
        assert parse_alert(reported(document(zone=zone, state="counterfeit"))).advice() == ()
    for zone in (SPECIMEN, CARD):
        assert parse_alert(reported(document(zone=zone))).advice() == ()


PLATE = {"plate": {"number": "TST 001", "jurisdiction": "CA-QC"}}
SUSPECT = {"role": "suspect", "person": {"age": 30}}
HOLDER = {"role": "first-buyer", "jurisdiction": "US-VT", "acquired": "2026-03-12"}
CONTAINER = {"number": "CSQU3054383"}


@pytest.mark.parametrize(
    ("name", "edits", "expected"),
    [
        ("identity-document", {"features": []}, {}),
        ("identity-document", {"documents": [document()]}, {"/features": "fraud-features-of-genuine"}),
        ("officer-safety", {"involved": [], "vehicles": []}, {}),
        ("officer-safety", {"involved": [], "vehicles": [], "scenes": []}, {"/involved": "nothing-to-recognise"}),
        ("officer-safety", {"involved": [], "vehicles": [], "scenes": [], "hazards": ["concealed-weapon"]}, {}),
        ("officer-safety", {"firearms__0__serialNumber": None}, {"/firearms/0/serialNumber": "serial-number-missing"}),
        ("officer-safety", {"firearms__0__serialState": "obliterated"},
         {"/firearms/0/serialNumber": "serial-number-of-none"}),
        ("officer-safety", {"validity__until": None}, {}),
        ("officer-safety", {"validity__until": "2026-03-02T06:00:00-05:00"}, {"/validity/until": "times-reversed"}),
        ("terrorism-threat", {"state": "imminent"}, {}),
        ("terrorism-threat", {"state": "imminent", "localities": []}, {}),
        ("terrorism-threat", {"state": "imminent", "localities": [], "sectors": []},
         {"/localities": "imminent-nowhere"}),
        ("terrorism-threat", {"rating__information": "5"}, {"/rating/information": "improbable-and-credible"}),
        ("terrorism-threat", {"rating__information": "5", "state": "unfounded"}, {}),
        ("organised-crime", {"group__rivals": []}, {"/group/rivals": "conflict-without-rival"}),
        ("organised-crime", {"group__rivals": [], "development": "expansion"}, {}),
        ("organised-crime", {"group__members": 2}, {"/group/members": "greater-than-equal"}),
        ("financial-crime", {"offences": ["fraud"]}, {"/stage": "stage-of-no-laundering"}),
        ("financial-crime", {"offences": ["fraud"], "stage": None}, {}),
        ("financial-crime", {"offences": ["money-laundering", "sanctions-evasion"]}, {"/listing": "listing-missing"}),
        ("financial-crime", {"offences": ["money-laundering", "sanctions-evasion"], "listing": "UNSC-1267"}, {}),
        ("financial-crime", {"accounts": []}, {}),
        ("financial-crime", {"accounts": [], "transfers": []}, {"/accounts": "nothing-to-freeze"}),
        ("financial-crime", {"accounts": [], "transfers": [], "request": "information"}, {}),
        ("financial-crime", {"accounts__0__number": "GB82WEST1234569876543x"}, {"/accounts/0/number": "no-iban"}),
        ("financial-crime", {"accounts__0__number": "123", "accounts__0__kind": "domestic-account"}, {}),
        ("human-trafficking", {"victims__0__child": False, "victims__0__person__age": 18}, {"/means": "means-missing"}),
        ("human-trafficking", {"victims__0__child": False},
         {"/means": "means-missing", "/victims/0/child": "child-contradicts-age"}),
        ("human-trafficking", {"victims__0__child": False, "victims__0__person__age": 18, "means": ["fraud"]}, {}),
        ("human-trafficking", {"victims__0__person__age": 18}, {"/victims/0/child": "child-contradicts-age"}),
        ("human-trafficking", {"victims": []}, {"/means": "means-missing"}),
        ("child-exploitation", {"observables": [], "involved": []}, {}),
        ("child-exploitation", {"observables": [], "involved": [], "reports": []},
         {"/observables": "nothing-to-follow"}),
        ("child-exploitation", {"involved__0__role": "victim"}, {"/involved/0/role": "child-named"}),
        ("drug-trafficking", {"substances": [{"drugClass": "cocaine", "identified": "laboratory"}]},
         {"/seizures/0/substance/drugClass": "seized-substance-unnamed"}),
        ("drug-trafficking", {"route": ["CA-QC"]}, {"/route": "transit-nowhere"}),
        ("drug-trafficking", {"route": [], "activity": "production"}, {}),
        ("drug-trafficking", {"substances__1__cas": "437-38-8"}, {"/substances/1/cas": "cas-check-digit"}),
        ("firearm-trace", {"trace__timeToCrimeDays": 211}, {"/trace/timeToCrimeDays": "time-to-crime-differs"}),
        ("firearm-trace", {"trace__timeToCrimeDays": None}, {}),
        ("firearm-trace", {"trace__chain": [], "trace__timeToCrimeDays": None},
         {"/trace/chain": "trace-without-chain"}),
        ("firearm-trace", {"trace__chain": [], "trace__state": "running"},
         {"/trace/timeToCrimeDays": "time-to-crime-differs"}),
        ("firearm-trace", {"trace__chain": [{**HOLDER, "acquired": "2026-10-11"}], "trace__timeToCrimeDays": None},
         {"/trace/chain/0/acquired": "acquired-after-recovery"}),
        ("firearm-trace", {"firearm__serialState": "never-had-one", "firearm__serialNumber": None},
         {"/trace/state": "trace-of-untraceable"}),
        ("immigration-crime", {"groups__0__unaccompanied": 4}, {"/groups/0/unaccompanied": "part-above-whole"}),
        ("immigration-crime", {"groups__0__persons": 2}, {"/groups/0/minors": "part-above-whole"}),
        ("immigration-crime", {"offence": "document-fraud"}, {"/documents": "fraud-without-document"}),
        ("immigration-crime", {"offence": "document-fraud", "documents": [document()]}, {}),
        ("immigration-crime", {"scenes__0__point__position": "95,-73"},
         {"/scenes/0/point/position": "string-pattern-mismatch"}),
        ("cyber-incident", {"category": "vulnerability-exploited"}, {}),
        ("cyber-incident", {"category": "vulnerability-exploited", "vulnerabilities": []},
         {"/vulnerabilities": "vulnerability-missing"}),
        ("cyber-incident", {"impact__information": ["none"]}, {}),
        ("cyber-incident", {"impact__information": ["none", "integrity-loss"]},
         {"/impact/information": "none-and-some"}),
        ("border-incident", {"traffic__0__delayMinutes": 0}, {"/traffic/0/delayMinutes": "delay-where-closed"}),
        ("border-incident", {"traffic__0__into": "US-ME"}, {"/traffic/0/into": "into-elsewhere"}),
        ("border-incident", {"state": "over"}, {"/period": "over-without-end"}),
        ("border-incident", {"state": "over", "period__until": "2026-07-24T20:00:00-04:00"}, {}),
        ("border-incident", {"traffic__1__state": "closed", "traffic__1__delayMinutes": None},
         {"/detours/0": "detour-closed"}),
        ("cargo-risk", {"consignments__0__containers": []}, {}),
        ("cargo-risk", {"consignments__0__bill": None}, {}),
        ("cargo-risk", {"consignments__0__bill": None, "consignments__0__containers": []},
         {"/consignments/0": "consignment-not-identified"}),
        ("cargo-risk", {"confidence": "confirmed"}, {}),
        ("cargo-risk", {"confidence": "confirmed", "examinations__0__outcome": "nothing-found"},
         {"/examinations": "confirmed-unseen"}),
        ("cargo-risk", {"consignments__0__containers__0__number": "CSQU3054380"},
         {"/consignments/0/containers/0/number": "container-check-digit"}),
        ("cargo-risk", {"consignments__0__conveyance__ship": "9074728"},
         {"/consignments/0/conveyance/ship": "ship-check-digit"}),
    ],
)  # fmt: skip
def test_rules(name: str, edits: dict[str, object], expected: dict[str, str]) -> None:
    """Each rule points to the member that breaks it, and lets pass what keeps it."""
    told = faults_of(edited(f"law-enforcement.{name}", **edits))
    assert told == {f"/body{place}": code for place, code in expected.items()}


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        ("ipv4-addr", "192.0.2.255", "192.0.2.256"),
        ("ipv4-addr", "192.0.2.0/24", "192.0.2.0/33"),
        ("ipv4-addr", "10.0.0.1", "192.0.2.01"),
        ("ipv6-addr", "2001:db8::1", "2001:db8:::1"),
        ("ipv6-addr", "2001:db8::/32", "fe80::1%eth0"),
        ("domain-name", "a.example", "a"),
        ("domain-name", "xn--exmple-cua.example", "-a.example"),
        ("url", "https://a.example/b?c", "a.example/b"),
        ("email-addr", "a.b+c@d.example", "a@b@d.example"),
        ("user-account", "@nobody", None),
        ("phone-number", "+15145550199", "514-555-0199"),
        ("imei", "490154203237518", "490154203237519"),
        ("imei", "490154203237518", "49015420323751"),
        ("imsi", "302720000000000", "3027200000000000"),
        ("mac-addr", "00:00:5e:00:53:01", "00-00-5E-00-53-01"),
        ("md5", "d41d8cd98f00b204e9800998ecf8427e", "d41d8cd98f00b204e9800998ecf8427"),
        ("sha-1", "da39a3ee5e6b4b0d3255bfef95601890afd80709", "DA39A3EE5E6B4B0D3255BFEF95601890AFD80709"),
        ("sha-256", "0" * 64, "0" * 63),
        ("sha-512", "0" * 128, "0" * 64),
        ("photo-dna", "A" * 192, "A" * 191),
        ("pdq", "f" * 64, "g" * 64),
    ],
)
def test_observables_are_of_their_kind(kind: str, right: str, wrong: str | None) -> None:
    """An address, a number or a digest has the form of what it is said to be."""
    name = "law-enforcement.child-exploitation"
    assert faults_of(edited(name, observables=[{"kind": kind, "value": right}])) == {}
    if wrong is not None:
        assert faults_of(edited(name, observables=[{"kind": kind, "value": wrong}])) == {
            "/body/observables/0/value": "observable-of-another-kind"
        }
