"""An exchange at which something of everything has happened to alerts, for their evidence to be drawn and verified."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx2
import orjson
import rfc8785

from audit.evidence import verify as standalone
from audit.evidence.bundle import Bundle, Pins, open_bundle
from audit.note import LogSigner, Verifier
from lacolle.certificates import LocalAuthority
from lacolle.client.submissions import SubmissionForm, media_type_of, signed_submission
from lacolle.evidence.verifying import verify_bundle
from lacolle.folder import read_jurisdictions
from lacolle.keyfiles import load_key_file
from lacolle.samples import SAMPLES, Cast, WorldOptions, build_world, everyone
from schemas.ids import ParticipantId
from schemas.signing.keys import PublicKey
from schemas.timestamps import read_utc
from tests.acceptance.agency import Agencies, Agency, members, utc_now
from tests.acceptance.alerts import cancel_of, from_now, new_identifier, stolen_vehicle, update_of, wanted_person
from tests.acceptance.conftest import GENEROUS, ServerProcess, calling, free_port
from tests.acceptance.disclosed import told
from tests.acceptance.enrolment import revoke
from tests.acceptance.independent import Document, sealed
from tests.acceptance.partner import Partner
from tests.patience import GIVES_UP_AFTER

WHY: Final = "Demande de la cour, dossier 500-01"
HOSTILE: Final = "<script>alert(1)</script> & \u202eevil\u202c \x7f"
MAINE: Final = "ca-qc.us-me.law-enforcement"
RELATIONS: Final = SAMPLES / "relations"


@dataclass
class EvidenceStage:
    """The exchange, and what was sent at it, by the name of the scene: the id that each alert got."""

    server: ServerProcess
    agencies: Agencies
    scenes: dict[str, str] = field(default_factory=dict)

    @property
    def keys(self) -> Path:
        """The folder of the exchange's own keys."""
        return self.server.world.folder / "keys"

    @property
    def log(self) -> Verifier:
        """The log's key."""
        return LogSigner(WorldOptions().origin, load_key_file(self.keys / "log.jwk")).verifier

    @property
    def jwks(self) -> bytes:
        """The exchange's keys as it publishes them."""
        return self.agencies.http.get("/.well-known/jwks.json").content

    @property
    def pins(self) -> Pins:
        """Whom a verifier believes who has asked the jurisdictions themselves."""
        pinned = read_jurisdictions(self.server.world.folder / "jurisdictions.yaml")
        keys = [PublicKey.from_jwk(jwk) for jwk in orjson.loads(self.jwks)["keys"]]
        return Pins({each.code: each for each in pinned}, self.log, {key.kid: key for key in keys})

    @property
    def plain_pins(self) -> standalone.Pins:
        """The same for the program that stands alone."""
        answer = self.agencies["ca-qc.sq"].get("/v1/jurisdictions")
        return standalone.Pins(answer.content, self.log.vkey, self.jwks)

    def ask(self, participant: str, alert_id: str, *, justification: str | None = WHY) -> httpx2.Response:
        """Ask for an alert's evidence."""
        agency = self.agencies[participant]
        said = {} if justification is None else {b"Justification": justification.encode()}
        headers = {b"Authorization": f"Bearer {agency.token()}".encode(), **said}
        return agency.http.get(f"/v1/alerts/{alert_id}/evidence", headers=headers)

    def draw(self, participant: str, scene: str) -> bytes:
        """Return a scene's bundle as a participant gets it."""
        answer = self.ask(participant, self.scenes[scene])
        assert answer.status_code == httpx2.codes.OK, answer.text
        assert answer.headers["content-type"] == "application/zip"
        return answer.content


def outcomes(data: bytes, pins: Pins) -> dict[str, str]:
    """Return how each of the product's checks of a bundle ends."""
    return {str(each.check): str(each.outcome) for each in verify_bundle(open_bundle(data), pins).findings}


def plain_outcomes(data: bytes, pins: standalone.Pins) -> dict[str, str]:
    """Return how each check of the program that stands alone ends."""
    return {name: outcome for name, (outcome, _) in standalone.verdicts(data, pins).items()}


def entries_in(bundle: Bundle) -> list[Document]:
    """Return the entries that a bundle shows, as plain JSON, with what is disclosed of them."""
    shown = bundle.evidence.entries
    return [told({"entry": json.loads(each.canonical), "disclosures": each.disclosures}) for each in shown]


@contextmanager
def evidence_stage(directory: Path, *, database: str | None = None) -> Iterator[EvidenceStage]:
    """Serve an exchange with a partner in New York, and play every scene at it."""
    authority = LocalAuthority(directory / "ca")
    partner = Partner(authority.issue("us-ny.nysp"))
    options = WorldOptions(
        port=free_port(),
        settings={**GENEROUS, "delivery": {"ca_file": str(authority.ca_file), "retry_base": 0.05}},
        endpoints={ParticipantId("us-ny.nysp"): partner.url},
        cast=_cast(),
    )
    server = ServerProcess(build_world(directory / "world", options), directory / "server.log", database)
    with ExitStack() as stack:
        partner.start()
        stack.callback(partner.stop)
        server.start()
        stack.callback(server.stop)
        stage = EvidenceStage(server, stack.enter_context(calling(server)))
        _play(stage)
        yield stage
    assert "Traceback" not in server.log_file.read_text(encoding="utf-8")


def _cast() -> Cast:
    """Return the sample world, and New Hampshire, from whose police something is kept."""
    base, relations = everyone(), everyone(RELATIONS)
    return Cast(
        jurisdictions=[*base.jurisdictions, *(each for each in relations.jurisdictions if each["code"] == "US-NH")],
        participants=[
            *base.participants,
            *(each for each in relations.participants if each["participant"] == "us-nh.nhsp"),
        ],
        agreements=[*base.agreements, RELATIONS / "agreements" / "ca-qc.us-nh.law-enforcement.yaml"],
    )


def _play(stage: EvidenceStage) -> None:
    sq, ny = stage.agencies["ca-qc.sq"], stage.agencies["us-ny.nysp"]
    _delivered(stage, sq, ny)
    redacted = _drug_trafficking()
    stage.scenes["redacted"] = str(sq.send(redacted)["alert_id"])
    stage.scenes["separable"] = _send(stage, _drug_trafficking(), SubmissionForm.SD_JWT)
    stage.scenes["consented"] = _consented(sq, ny, "given")
    stage.scenes["refused"] = _consented(sq, ny, "refused")
    _suspended(stage, sq)
    revoke(stage.agencies, sq, sq.keys[1])  # which has signed the scene "separable" before
    stage.scenes["nobody"] = str(stage.agencies["us-me.msp"].send(stolen_vehicle(sender="us-me.msp"))["alert_id"])


def _delivered(stage: EvidenceStage, sq: Agency, ny: Agency) -> None:
    """Have an alert delivered and read, its thread updated and cancelled."""
    first = stolen_vehicle({"info.0.headline": HOSTILE})
    stage.scenes["delivered"] = alert_id = str(sq.send(first)["alert_id"])
    until = time.monotonic() + GIVES_UP_AFTER
    while (delivery := ny.read(alert_id)["deliveries"][0])["state"] != "delivered":
        assert time.monotonic() < until, delivery
        time.sleep(0.02)
    for status in ("received", "read"):
        answer = ny.acknowledge(alert_id, delivery["delivery_id"], status=status, note="Vu. <b>&</b>")
        assert answer.status_code == httpx2.codes.CREATED, answer.text
    update = update_of(first, {"info.0.certainty": "Unlikely"})
    stage.scenes["updated"] = str(sq.send(update)["alert_id"])
    stage.scenes["cancelled"] = str(sq.send(cancel_of(update))["alert_id"])


def _consented(sq: Agency, ny: Agency, decision: str) -> str:
    """Have an alert of New York's passed on to Vermont, and New York answer each question."""
    source = stolen_vehicle(sender="us-ny.nysp")
    ny.send(source)
    named = f"{source['sender']},{source['identifier']},{source['sent']}"
    alert_id = str(sq.send(stolen_vehicle({"references": [named]}))["alert_id"])
    asked = members(ny.get("/v1/consents"))["consents"]
    for question in [each for each in asked if each["alert_id"] == alert_id]:
        copied = {name: question[name] for name in ("consent_id", "alert_id", "digest", "recipient")}
        word = {**copied, "by": question["asked"], "decision": decision, "at": utc_now()}
        answer = ny.post(ny.sign(word, typ="consent+jws"), f"/v1/consents/{question['consent_id']}")
        assert answer.status_code == httpx2.codes.CREATED, answer.text
    return alert_id


def _suspended(stage: EvidenceStage, sq: Agency) -> None:
    """Have Maine suspend its agreement, then send what would have gone there."""
    shown = members(sq.get(f"/v1/agreements/{MAINE}/1"))
    key = stage.agencies.authority("US-ME")
    step = {
        "agreement": MAINE,
        "version": 1,
        "digest": shown["digest"],
        "step": "suspension",
        "party": "US-ME",
        "at": utc_now(),
    }
    header = {"alg": key.alg, "kid": key.kid, "typ": "agreement-step+jws", "iat": int(read_utc(step["at"]).timestamp())}
    answer = sq.post(sealed(header, rfc8785.dumps(step), key), f"/v1/agreements/{MAINE}/1/suspensions")
    assert answer.status_code == httpx2.codes.CREATED, answer.text
    stage.scenes["suspended"] = str(sq.send(wanted_person())["alert_id"])


def _drug_trafficking() -> Document:
    """Return a sample alert of which New Hampshire does not get what identifies."""
    document: dict[str, Any] = orjson.loads((RELATIONS / "alerts" / "drug-trafficking.json").read_bytes())
    times: Mapping[str, str] = {"sent": from_now(), "expires": from_now(days=1)}
    return {**document, **times, "identifier": new_identifier(), "sender": "ca-qc.sq"}


def _send(stage: EvidenceStage, document: Document, form: SubmissionForm) -> str:
    key = stage.server.world.members[ParticipantId("ca-qc.sq")].keys[1]
    submission = signed_submission(document, form=form, key=key, now=datetime.now(UTC), randomness=os.urandom)
    answer = stage.agencies.http.post(
        "/v1/alerts", content=submission, headers={"Content-Type": media_type_of(submission)}
    )
    assert answer.status_code == httpx2.codes.CREATED, answer.text
    return str(members(answer)["alert_id"])
