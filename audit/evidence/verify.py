"""Verify an evidence bundle of an exchange, offline, with nothing but Python 3.9 or newer and ``cryptography``.

    python verify.py BUNDLE.zip --jurisdictions FILE --log-key VKEY [--exchange-keys FILE] [--json]

``--jurisdictions`` is JSON, ``{"jurisdictions": [{"code": "CA-QC", "authority_keys": [JWK, ...]}, ...]}``, as
``GET /v1/jurisdictions`` answers it: have it from the jurisdictions themselves. ``--log-key`` is the log's verifier key
as published (C2SP signed-note), ``--exchange-keys`` the exchange's own keys (a JWK Set). Whatever stands in the bundle
is believed only as far as these keys reach.

It imports nothing of the exchange's software, and makes all of its checks but three: it does not decide again, does not
compare the narrative, and does not compare itself. Ends with 0 where no check fails, 1 where one does, 2 where the file
is no bundle. Formats: docs/evidence.md; RFC 7515, RFC 8032, RFC 7518, RFC 9901, RFC 6962, C2SP signed-note.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import io
import json
import re
import struct
import sys
import zipfile
from datetime import datetime, timedelta, timezone
from functools import cached_property
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

Json = Any  # whatever a strict reading of JSON gives: its shape is what the checks look at

MOST_BYTES = 256 * 1024 * 1024
FORMS = {"lacolle-evidence/v1", "lacolle-evidence/v2"}
END, MOST_DIRECTORY = 22, 64 * (46 + 64)
FIXED = {"manifest.jws", "evidence.json", "narrative.html", "verify.py"}
HASH, SIGNATURE, KEY_ID, MOST_MEMBERS, MOST_DIGITS = 32, 64, 4, 64, 17
TOLERANCE = timedelta(seconds=301)
BASE, DATED = {"alg", "kid", "typ"}, {"alg", "kid", "typ", "iat"}
STEPS = {"agreement-suspended", "agreement-resumed", "agreement-withdrawn", "agreement-acceded"}
MALFORMED = (KeyError, TypeError, ValueError, IndexError, AttributeError, RecursionError, OverflowError)


_ENTRY = {"index": int, "salt": str, "entry": str, "proof": [str]}
SHAPE = {
    "form": str,
    "alert_id": str,
    "origin": str,
    "drawn": {"at": str, "by": str, "view": str},
    "narrative": int,
    "contents": [{"file": str, "media_type": str, "deliveries": [str], "manifest": (str, None)}],
    "missing": (str, None),
    "receipt": (str, None),
    "exchange_keys": [dict],
    "checkpoint": str,
    "entries": [(_ENTRY, {**_ENTRY, "disclosures": [str]})],
    "sealed": [{"index": int, "commitment": str, "proof": [str]}],
    "statements": [{"index": int, "statement": str}],
    "agreements": [{"signed": str, "steps": [str]}],
    "acknowledgements": [str],
    "consents": [str],
    "basis": ({"world": str, "reached": dict, "sources": [dict]}, None),
}


class UnreadableError(Exception):
    """The file is no bundle."""


class WantingError(Exception):
    """A check fails."""


class UncheckableError(Exception):
    """A check can't be made."""


def require(holds: object, why: str) -> None:
    """Raise ``WantingError`` unless something holds."""
    if not holds:
        raise WantingError(why)


# Reading, strictly.


def strict_json(data: bytes) -> Json:
    """Return what a JSON text says; two equal names, NaN and numbers that readers disagree on are refused."""

    def members(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError("a name stands twice")
        return found

    def integer(digits: str) -> int:
        value = int(digits) if len(digits) <= MOST_DIGITS else 1 << 60
        if abs(value) >= 1 << 53:
            raise ValueError("a number is too large")
        return value

    def refuse(_: str) -> Json:
        raise ValueError("no number")

    return json.loads(data.decode("utf-8"), object_pairs_hook=members, parse_int=integer, parse_constant=refuse)


def of_shape(value: Json, shape: Json) -> bool:
    """Say whether a value has the members that a shape names and no others, each of its type; a tuple has several."""
    if isinstance(shape, tuple):
        return any(of_shape(value, each) for each in shape)
    if isinstance(shape, dict):
        members = isinstance(value, dict) and value.keys() == shape.keys()
        return members and all(of_shape(value[name], each) for name, each in shape.items())
    if isinstance(shape, list):
        return isinstance(value, list) and all(of_shape(each, shape[0]) for each in value)
    return value is None if shape is None else type(value) is shape


def b64url(text: str) -> bytes:
    """Return the bytes of base64url without padding, in its one spelling."""
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if base64.urlsafe_b64encode(data).rstrip(b"=").decode() != text:
        raise ValueError("not canonical base64url")
    return data


def b64(text: str) -> bytes:
    """Return the bytes of base64, in its one spelling."""
    data = base64.b64decode(text, validate=True)
    if base64.b64encode(data).decode() != text:
        raise ValueError("not canonical base64")
    return data


def sha256(data: bytes) -> str:
    """Return a digest as documents write it."""
    return "sha-256:" + hashlib.sha256(data).hexdigest()


def instant(text: str) -> datetime:
    """Return the instant of an RFC 3339 text."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))  # noqa: FURB162 - Python 3.9 and 3.10 read no Z


def written(members: dict[str, bytes]) -> bytes:
    """Return the one ZIP that a bundle of these members is."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=False) as archive:
        for name, content in members.items():
            member = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            member.create_system, member.external_attr = 3, 0o100644 << 16
            archive.writestr(member, content)
    return file.getvalue()


def opened_archive(data: bytes) -> tuple[dict[str, bytes], Json]:
    """Return the members of a bundle; whatever could be read in two ways is no bundle."""
    try:
        signature, *_, size, start, _ = struct.unpack("<4s4H2LH", data[-END:])
        if signature != b"PK\x05\x06" or size > MOST_DIRECTORY or start + size + END != len(data):
            raise UnreadableError("not a bundle")
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            listed = archive.infolist()
            stored = all(not each.compress_type and each.file_size == each.compress_size for each in listed)
            if not stored or len(listed) > MOST_MEMBERS or sum(each.file_size for each in listed) > len(data):
                raise UnreadableError("not a bundle")
            members = {each.filename: archive.read(each) for each in listed}
        names = all(re.fullmatch(r"[a-z0-9]([a-z0-9.-]{0,62}[a-z0-9])?", name) for name in members)
        if not names or written(members) != data or not members.keys() >= FIXED:
            raise UnreadableError("not a bundle")
        document = strict_json(members["evidence.json"])
        contents = {each["file"] for each in document["contents"]}
        if (
            not of_shape(document, SHAPE)
            or document["form"] not in FORMS
            or contents & FIXED
            or FIXED | contents != members.keys()
        ):
            raise UnreadableError("not a bundle of this form")
    except (zipfile.BadZipFile, EOFError, RuntimeError, OSError, struct.error, *MALFORMED):
        raise UnreadableError("not a bundle") from None
    return members, document


# Signatures (RFC 7515, narrowed: exactly these header members, one algorithm for each key).


def verifies(jwk: Json, data: bytes, signature: bytes) -> bool:
    """Say whether the key of a public JWK has signed; Ed25519 (RFC 8032) or ES256 (RFC 7518 section 3.4)."""
    if len(signature) != SIGNATURE:
        return False
    try:
        if (jwk["kty"], jwk["crv"], jwk["alg"]) == ("OKP", "Ed25519", "Ed25519"):
            Ed25519PublicKey.from_public_bytes(b64url(jwk["x"])).verify(signature, data)
            return True
        if (jwk["kty"], jwk["crv"], jwk["alg"]) == ("EC", "P-256", "ES256"):
            x, y = (int.from_bytes(b64url(jwk[name]), "big") for name in ("x", "y"))
            key = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
            r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
            key.verify(encode_dss_signature(r, s), data, ec.ECDSA(SHA256()))
            return True
    except (InvalidSignature, *MALFORMED):
        return False
    return False


def same_key(one: Json, other: Json) -> bool:
    """Say whether two public JWKs are one key; a set may say besides what a key is for."""
    members = ("kid", "alg", "kty", "crv", "x", "y")
    return one is not None and all(one.get(name) == other.get(name) for name in members)


class Signed:
    """A compact JWS of one ``typ``; nothing in it is believed before ``by``."""

    def __init__(self, compact: str, typ: str, members: set[str]) -> None:
        protected, payload, signature = compact.split(".")
        self.header = strict_json(b64url(protected))
        require(self.header.keys() == members and self.header["typ"] == typ, "a header is not as it must be")
        self.kid, self.payload, self.signature = self.header["kid"], b64url(payload), b64url(signature)
        self.input = f"{protected}.{payload}".encode("ascii")

    def by(self, jwk: Json, why: str) -> Signed:
        """Return this, now that a key has been found to have signed it."""
        known = jwk is not None and jwk["kid"] == self.kid and jwk["alg"] == self.header["alg"]
        require(known and verifies(jwk, self.input, self.signature), why)
        return self

    @property
    def said(self) -> Json:
        """What the payload says."""
        return strict_json(self.payload)


# What is believed beforehand.


class Pins:
    """The keys of authorities by ``kid``, each with its jurisdiction, the log's, and the exchange's."""

    def __init__(self, jurisdictions: bytes, log_key: str, exchange: bytes | None) -> None:
        self.authorities = {
            key["kid"]: (each["code"], key)
            for each in strict_json(jurisdictions)["jurisdictions"]
            for key in each["authority_keys"]
        }
        found = re.fullmatch(r"([^+\s]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]{44})", log_key)
        if found is None or b64(found[3])[:1] != b"\x01":
            raise ValueError("not a verifier key")
        self.log_name, self.log_key = found[1], b64(found[3])[1:]
        self.log_id = hashlib.sha256(self.log_name.encode() + b"\n\x01" + self.log_key).digest()[:4]
        if self.log_id.hex() != found[2]:
            raise ValueError("not a verifier key")
        keys = None if exchange is None else strict_json(exchange)["keys"]
        self.exchange = None if keys is None else {key["kid"]: key for key in keys}

    def authority(self, kid: str, of: str | None = None) -> Json:
        """Return an authority's key, of one jurisdiction where that is said."""
        code, key = self.authorities.get(kid, (None, None))
        return key if of in (None, code) else None


def home_of(participant: str) -> str:
    """Return the jurisdiction in a participant's name."""
    return participant.split(".", maxsplit=1)[0].upper()


class Bundle:
    """A bundle and its pins, with one method for each check."""

    def __init__(self, members: dict[str, bytes], document: Json, pins: Pins) -> None:
        self.members, self.document, self.pins = members, document, pins
        self.vouched: dict[str, tuple[Json, Json]] = {}

    # Parts that several checks look at.

    @cached_property
    def entries(self) -> list[Json]:
        """The entries that are shown whole, with what is disclosed of them in its place."""
        return [told(each) for each in self.document["entries"]]

    @cached_property
    def about(self) -> list[Json]:
        """Those about the alert itself."""
        return [each for each in self.entries if each["alert_id"] is not None and each["kind"] != "queried"]

    @cached_property
    def accepted(self) -> Json:
        """The acceptance, where it is shown."""
        return next((each for each in self.about if each["kind"] == "accepted"), None)

    @cached_property
    def erased(self) -> Json:
        """The entry that says that the content was erased, where there is one."""
        return next((each for each in self.about if each["kind"] == "erased"), None)

    @cached_property
    def acceptance(self) -> Json:
        """What is known of the acceptance: what the receipt says, and where that was erased what the log does.

        Where the acceptance itself is sealed, its sender is the actor of what was routed, and its time that of the
        alert's id (UUIDv7, RFC 9562 section 5.7).
        """
        if self.document["receipt"] is not None:
            return self.receipt
        require(self.erased is not None, "the receipt is missing, and no entry says that the content was erased")
        known = {"digest": self.erased["content"]["digest"], "identifier": None}
        if self.accepted is not None:
            require(self.accepted["content"]["digest"] == known["digest"], "what was erased is another alert")
            place = {"log_index": self.accepted["index"], "received": self.accepted["time"]}
            return {**known, **place, "sender": self.accepted["actor"]}
        senders = [each["actor"] for each in self.about if each["kind"] in ("routed", "consent-requested")]
        require(senders and self.document["sealed"], "what was erased is another alert")
        milliseconds = int(self.document["alert_id"].replace("-", "")[:12], 16)
        received = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(milliseconds=milliseconds)  # noqa: UP017 - Python 3.9 has no UTC
        place = {"log_index": self.document["sealed"][0]["index"], "received": received.isoformat()}
        return {**known, **place, "sender": senders[0]}

    @cached_property
    def receipt(self) -> Json:
        """What the receipt says."""
        said = Signed(self.document["receipt"], "receipt+jws", BASE).said
        members = {"alert_id", "sender", "identifier", "digest", "log_index", "log_origin", "received"}
        require(said.keys() == members, "the receipt has other members")
        return said

    @property
    def tree(self) -> tuple[str, int, bytes]:
        """The origin, size and root that the checkpoint claims."""
        lines = self.document["checkpoint"].partition("\n\n")[0].split("\n")
        require(re.fullmatch("0|[1-9][0-9]{0,17}", lines[1]), "the checkpoint has no size")
        root = b64(lines[2])
        require(len(root) == HASH, "the checkpoint has no root")
        return lines[0], int(lines[1]), root

    def exchange_key(self, kid: str) -> Json:
        """Return a key of the exchange: the pinned one, or, where none is, the one that the bundle names."""
        if self.pins.exchange is not None:
            return self.pins.exchange.get(kid)
        return next((key for key in self.document["exchange_keys"] if key["kid"] == kid), None)

    def require_pinned(self) -> None:
        """Raise ``UncheckableError`` where nobody has said which keys are the exchange's."""
        if self.pins.exchange is None:
            raise UncheckableError("signed by a key that the bundle alone names")

    # The checks.

    def manifest(self) -> None:
        """Find every member to be the one that the exchange signed."""
        signed = Signed(self.members["manifest.jws"].decode("ascii"), "evidence-manifest+jws", BASE)
        signed.by(self.exchange_key(signed.kid), "the bundle is not signed by the exchange")
        others = {name: content for name, content in self.members.items() if name != "manifest.jws"}
        files = [{"name": name, "digest": sha256(content)} for name, content in others.items()]
        expected = {"form": "lacolle-evidence-manifest/v1", "alert_id": self.document["alert_id"], "files": files}
        require(signed.said == expected, "a member is not the one that the exchange signed")
        self.require_pinned()
        named = self.document["exchange_keys"]
        require(all(same_key(self.exchange_key(key["kid"]), key) for key in named), "a key is not the exchange's")

    def checkpoint(self) -> None:
        """Find the checkpoint signed by the log's key."""
        text, _, lines = self.document["checkpoint"].rpartition("\n\n")
        require(text and lines.endswith("\n"), "the checkpoint is no signed note")
        own = []
        for line in lines[:-1].split("\n"):
            found = re.fullmatch("\u2014 ([^+\\s]+) ([A-Za-z0-9+/]+={0,2})", line)
            if found is None:
                raise WantingError("the checkpoint is no signed note")
            signature = b64(found[2])
            require(len(signature) > KEY_ID, "the checkpoint is no signed note")
            if (found[1], signature[:4]) == (self.pins.log_name, self.pins.log_id):
                own.append(signature[4:])
        jwk_x = base64.urlsafe_b64encode(self.pins.log_key).rstrip(b"=").decode()
        jwk = {"kty": "OKP", "crv": "Ed25519", "alg": "Ed25519", "x": jwk_x}
        require(own and all(verifies(jwk, f"{text}\n".encode(), each) for each in own), "not signed by the log")
        require(self.tree[0] == self.pins.log_name == self.document["origin"], "the checkpoint of another log")

    def entries_check(self) -> None:
        """Every entry is what the log committed to, under the checkpoint, and the acceptance is among them."""
        _, size, root = self.tree
        shown, sealed = self.document["entries"], self.document["sealed"]
        places = [each["index"] for each in shown]
        require(places == sorted(set(places)), "an entry is out of its place")
        require(not {each["index"] for each in sealed} & set(places), "an entry is out of its place")
        for each, entry in zip(shown, self.entries):  # noqa: B905 - Python 3.9 has no strict
            salt = bytes.fromhex(each["salt"])
            require(len(salt) == HASH and salt.hex() == each["salt"], "a salt is no salt")
            committed = hashlib.sha256(salt + b64(each["entry"])).digest()
            require_included(committed, each["index"], size, root, each["proof"])
            require(entry["index"] == each["index"], "an entry is out of its place")
            require(entry["alert_id"] in (None, self.document["alert_id"]), "an entry is about another alert")
        for each in sealed:
            require_included(bytes.fromhex(each["commitment"]), each["index"], size, root, each["proof"])
        whole = [each["index"] for each in self.about if each["kind"] == "accepted"]
        found = whole + [each["index"] for each in sealed]
        require(found == [self.acceptance["log_index"]], "the acceptance is not where the receipt says")

    def statements(self) -> None:
        """Every statement is signed by its jurisdiction's authority, and those are there that entries are about."""
        places = [each["index"] for each in self.document["statements"]]
        require(places == sorted(set(places)) and max(places, default=0) < self.tree[1], "statements out of order")
        self.registry(self.tree[1])
        digests = {each["index"]: sha256(each["statement"].encode("ascii")) for each in self.document["statements"]}
        for each in self.entries:
            if each["kind"] in ("participant-registered", "key-revoked"):
                require(digests.get(each["index"]) == each["content"]["statement"], "an entry is about another")

    def registry(self, before: int) -> tuple[dict[str, Json], dict[str, datetime]]:
        """Return what the statements below an index of the log said: each participant's last one, and revocations."""
        current: dict[str, Json] = {}
        revoked: dict[str, datetime] = {}
        owners: dict[str, tuple[str, Json]] = {}
        for each in self.document["statements"]:
            if each["index"] >= before:
                continue
            iat, said = self.stated(each["statement"])
            if said["statement"] == "key-revocation":
                mine = owners.get(said["kid"], ("", None))[0] == said["participant"]
                require(mine and said["kid"] not in revoked, "a revocation is of no key that there was")
                revoked[said["kid"]] = instant(said["revoked_at"])
                continue
            require(said["statement"] == "participant", "a statement is of no known kind")
            known = current.get(said["participant"])
            require(known is None or known[0] < iat, "a statement is older than the one before")
            for key in said["keys"]:
                owner = (said["participant"], key["jwk"])
                require(owners.setdefault(key["jwk"]["kid"], owner) == owner, "a key's name is another key's")
            current[said["participant"]] = (iat, said)
        return current, revoked

    def stated(self, compact: str) -> tuple[Json, Json]:
        """Return when a statement was signed, and what it says; each is verified once."""
        if compact not in self.vouched:
            signed = Signed(compact, "authority-statement+jws", DATED)
            said = signed.said
            key = self.pins.authority(signed.kid, of=home_of(said["participant"]))
            signed.by(key, "a statement is not signed by its authority")
            self.vouched[compact] = signed.header["iat"], said
        return self.vouched[compact]

    def trusted(self, participant: str, kid: str, at: datetime, before: int) -> Json:
        """Return a participant's statement and the key that it could use at an instant; None for none."""
        current, revoked = self.registry(before)
        if participant not in current or (kid in revoked and revoked[kid] <= at):
            return None
        said = current[participant][1]
        for key in said["keys"]:
            if key["jwk"]["kid"] == kid:
                begin = max(instant(said["from"]), instant(key["from"]))
                end = min(instant(said["until"]), instant(key["until"]))
                return (said, key["jwk"]) if begin <= at < end else None
        return None

    def receipt_check(self) -> None:
        """Find this submission's place in the log promised by the exchange, and the log to agree."""
        if self.document["receipt"] is None:
            require(self.document["missing"] == "erased", "the receipt is missing, and the content is not")
            require(self.erased is not None, "the receipt is missing, and no entry says that the content was erased")
            raise UncheckableError(f"the receipt was erased with the content, as entry {self.erased['index']} says")
        signed = Signed(self.document["receipt"], "receipt+jws", BASE)
        signed.by(self.exchange_key(signed.kid), "the receipt is not signed by the exchange")
        said, accepted = self.receipt, self.accepted
        here = (self.document["alert_id"], self.document["origin"])
        require((said["alert_id"], said["log_origin"]) == here, "the receipt is another alert's")
        if accepted is not None:
            content = accepted["content"]
            logged = (accepted["index"], accepted["time"], accepted["actor"], content["digest"])
            promised = (said["log_index"], said["received"], said["sender"], said["digest"])
            named = content.get("identifier", said["identifier"]) == said["identifier"]
            require(logged == promised and named, "the receipt is another alert's")
        self.require_pinned()

    def content(self) -> None:
        """Find what the alert says signed by its sender, or by the exchange as a copy of that."""
        if not self.document["contents"]:
            raise UncheckableError("the content is not in the bundle")
        require(self.document["missing"] is None, "the bundle says that it lacks what it has")
        for each in self.document["contents"]:
            data = self.members[each["file"]].decode("ascii")
            if each["media_type"] == "application/redacted-alert+jws":
                require(each["manifest"] is None, "a content is of another form")
                signed = Signed(data, "redacted-alert+jws", BASE)
                signed.by(self.exchange_key(signed.kid), "a copy is not signed by the exchange")
                said = signed.said
                require(said.keys() == {"alert", "manifest"}, "a copy has other members")
                self.require_named(said["alert"])
                self.require_original(said["manifest"])
                self.require_pinned()
            else:
                self.submission(each, data)

    def submission(self, content: Json, data: str) -> None:
        """Check what an agency has signed: a compact JWS, or an SD-JWT (RFC 9901) with some of its disclosures."""
        form = "application/alert+sd-jwt" if "~" in data else "application/jose"
        require(form == content["media_type"], "a content is of another form")
        compact, *disclosures = data.split("~")
        separate = form != "application/jose"
        signed = Signed(compact, "alert+sd-jwt" if separate else "alert+jws", DATED)
        received = instant(self.acceptance["received"])
        known = self.trusted(self.acceptance["sender"], signed.kid, received, self.acceptance["log_index"])
        signed.by(known and known[1], "not signed by a key that its sender could use then")
        require("sender" in known[0]["roles"], "its sender may not send")
        at = datetime.fromtimestamp(signed.header["iat"], timezone.utc)  # noqa: UP017 - Python 3.9 and 3.10 have no UTC
        require(abs(at - received) <= TOLERANCE, "the signature is dated at another time")
        document = signed.said
        if separate:
            require(disclosures[-1] == "", "not an SD-JWT")
            document = disclosed(document, disclosures[:-1])
        self.require_named(document)
        patterns = {document["type"], document["type"].split("/")[0] + "/*"}
        require(patterns & set(known[0]["sends"]), "its sender may not send this type")
        if content["manifest"] is None:
            require(sha256(data.encode("ascii")) == self.acceptance["digest"], "not the receipt's submission")
            return
        require(separate, "a content is of another form")
        manifest = Signed(content["manifest"], "withholding-manifest+jws", BASE)
        manifest.by(self.exchange_key(manifest.kid), "a manifest is not signed by the exchange")
        self.require_original(manifest.said)
        require(manifest.said["presented"] == sha256(data.encode("ascii")), "a copy is another's")

    def require_named(self, document: Json) -> None:
        """Raise ``WantingError`` unless an alert is the receipt's."""
        named = (document["sender"], document["identifier"])
        require(named == (self.acceptance["sender"], self.acceptance["identifier"]), "the content is another alert's")

    def require_original(self, manifest: Json) -> None:
        """Raise ``WantingError`` unless a manifest is about the receipt's submission."""
        about = (manifest["alert_id"], manifest["original"])
        require(about == (self.document["alert_id"], self.acceptance["digest"]), "a copy is of another submission")

    def agreements(self) -> dict[tuple[str, int], Json]:
        """Every agreement is signed by all of its parties, each step by its party; the log knew them so."""
        documents, taken = {}, set()
        about = [each for each in self.entries if each["alert_id"] is None and each["agreement"] is not None]
        for each in self.document["agreements"]:
            general = strict_json(each["signed"].encode())
            require(general.keys() == {"payload", "signatures"}, "an agreement has other members")
            parties = set()
            for one in general["signatures"]:
                require(one.keys() == {"protected", "signature"}, "an agreement has other members")
                compact = f"{one['protected']}.{general['payload']}.{one['signature']}"
                signed = Signed(compact, "agreement+jws", DATED)
                signed.by(self.pins.authority(signed.kid), "an agreement is not signed by a pinned authority")
                party = self.pins.authorities[signed.kid][0]
                require(party not in parties, "a party signed twice")
                parties.add(party)
            payload = b64url(general["payload"])
            document = strict_json(payload)
            require(parties == set(document["parties"]), "a party has not signed")
            name = (document["id"], document["version"])
            require(name not in documents, "an agreement stands twice")
            documents[name] = document
            for entry in about:
                known = (entry["agreement"], entry["content"].get("version"))
                if entry["kind"] == "agreement-in-force" and known == name:
                    require(entry["content"]["digest"] == sha256(payload), "an agreement is another document")
                    taken.add(entry["index"])
            taken |= {self.step(compact, about) for compact in each["steps"]}
        kinds = STEPS | {"agreement-in-force"}
        for entry in about:
            require(entry["kind"] not in kinds or entry["index"] in taken, "an agreement or a step is not enclosed")
        return documents

    def step(self, compact: str, about: list[Json]) -> int:
        """Return the index of a step's entry."""
        signed = Signed(compact, "agreement-step+jws", DATED)
        said = signed.said
        signed.by(self.pins.authority(signed.kid, of=said["party"]), "a step is not signed by its party")
        for entry in about:
            if entry["kind"] in STEPS and entry["content"]["statement"] == sha256(signed.payload):
                return int(entry["index"])
        raise WantingError("a step has no entry")

    def decisions(self) -> None:
        """Find the decisions to be all that the acceptance was committed to, and a signed clause for each permit."""
        found: dict[str, Json] = {}
        for entry in self.about:
            for decision in decisions_of(entry):
                found.setdefault(decision["recipient"], decision)
        whole, accepted = self.document["drawn"]["view"] == "whole", self.accepted
        if whole:
            if accepted is None or "decisions_digest" not in accepted["content"]:
                raise UncheckableError("the acceptance is committed to no decisions")
            ordered = {"decisions": [found[name] for name in sorted(found)], "form": "lacolle.decisions/v1"}
            require(sha256(canonical(ordered)) == accepted["content"]["decisions_digest"], "other decisions")
        documents, own = self.agreements(), home_of(self.document["drawn"]["by"])
        for decision in found.values():
            if "under" in decision and (whole or decision["jurisdiction"] == own):
                self.require_covered(decision, documents)

    def require_covered(self, decision: Json, documents: dict[tuple[str, int], Json]) -> None:
        """Raise ``WantingError`` unless a permit's clauses are enclosed and the one that rules covers it."""
        for clause in {decision["under"], *(each[3] for each in decision["terms"]["withholdings"])}:
            require(grant_of(clause, documents), "a clause is not enclosed")
        document, grant = grant_of(decision["under"], documents) or ({}, {})
        sender, at = self.acceptance["sender"], instant(self.acceptance["received"])
        copied = [name for each in grant.get("obligations", ()) for name in copies_of(each)]
        require({sender, home_of(sender)} & set(grant["from"]), "a clause does not cover this sender")
        recipients = {decision["recipient"], decision["jurisdiction"]}
        require(recipients & {*grant["to"], *copied}, "a clause does not cover this recipient")
        valid = document["valid"]
        require(instant(valid["from"]) <= at < instant(valid["until"]), "an agreement was not valid then")
        if self.accepted is not None:
            kind = self.accepted["content"]["type"]
            require({kind, kind.split("/")[0] + "/*"} & set(grant["types"]), "a clause does not cover this type")

    def deliveries(self) -> None:
        """Whatever is logged of a delivery follows on its routing, for the same recipient."""
        recipients: dict[str, str] = {}
        delivered: set[str] = set()
        for entry in self.about:
            content = entry["content"]
            name = content.get("delivery_id")
            if not isinstance(name, str):
                continue
            withheld = entry["kind"] == "withheld"
            recipient = content["withheld"][0]["recipient"] if withheld else content.get("recipient", entry["actor"])
            if entry["kind"] in ("routed", "consent-requested"):
                recipients.setdefault(name, recipient)
            require(recipients.get(name) == recipient, "a delivery follows on no routing")
            if entry["kind"] == "delivered":
                require(name not in delivered, "a delivery ends twice")
                delivered.add(name)
        own = self.document["drawn"]["view"] == "own"
        for each in self.document["contents"]:
            require(set(each["deliveries"]) <= recipients.keys(), "a copy is of no delivery")
            require(bool(each["deliveries"]) is own, "a copy is of no delivery")

    def acknowledgements(self) -> None:
        """Every acknowledgement is signed by its recipient, and the one that the log has."""
        logged = [each for each in self.about if each["kind"] == "acknowledged"]
        if self.document["missing"] == "erased":  # a note goes with the alert's content
            kept = {sha256(each.encode("ascii")) for each in self.document["acknowledgements"]}
            logged = [each for each in logged if each["content"]["digest"] in kept]
        for word, entry in self.paired(self.document["acknowledgements"], logged):
            signed = Signed(word, "acknowledgement+jws", DATED)
            said, content = signed.said, entry["content"]
            self.by_participant(signed, said["participant"], entry)
            same = [(said[name], content[name]) for name in ("delivery_id", "status", "at")]
            same += [(said["participant"], content["recipient"]), (signed.kid, content["kid"])]
            same += [(said["alert_id"], self.document["alert_id"])]
            require(all(one == other for one, other in same), "a word is not the one that the log has")

    def consents(self) -> None:
        """Every answer is signed by whoever was asked, about this submission, and the one that the log has."""
        kinds = ("consent-given", "consent-refused")
        for word, entry in self.paired(self.document["consents"], [e for e in self.about if e["kind"] in kinds]):
            signed = Signed(word, "consent+jws", DATED)
            said, content = signed.said, entry["content"]
            if "." in said["by"]:
                self.by_participant(signed, said["by"], entry)
            else:
                signed.by(self.pins.authority(signed.kid, of=said["by"]), "a word is not its author's")
            same = [(said[name], content[name]) for name in ("consent_id", "recipient", "by", "at")]
            same += [(said["alert_id"], self.document["alert_id"]), (said["digest"], self.acceptance["digest"])]
            same += [(entry["kind"], f"consent-{said['decision']}")]
            require(all(one == other for one, other in same), "a word is not the one that the log has")

    def paired(self, words: list[str], logged: list[Json]) -> list[tuple[str, Json]]:
        """Return words with their entries, which must be as many and in the same order."""
        digests = [sha256(each.encode("ascii")) for each in words]
        require(digests == [each["content"]["digest"] for each in logged], "a word is missing, or another")
        return list(zip(words, logged))  # noqa: B905 - Python 3.9 has no strict

    def by_participant(self, signed: Signed, participant: str, entry: Json) -> None:
        """Raise ``WantingError`` unless a participant could sign so when its word was logged."""
        known = self.trusted(participant, signed.kid, instant(entry["time"]), entry["index"])
        signed.by(known and known[1], "a word is not its author's")
        require(entry["actor"] == participant, "a word is not its author's")


# The tree (RFC 9162 section 2.1.3.2).


def require_included(committed: bytes, index: int, size: int, root: bytes, proof: list[str]) -> None:
    """Raise ``WantingError`` unless a commitment is a leaf of the tree."""
    require(len(committed) == HASH and 0 <= index < size, "an entry is not in the tree")
    found, node, last = hashlib.sha256(b"\x00" + committed).digest(), index, size - 1
    for sibling in map(b64, proof):
        require(last > 0 and len(sibling) == HASH, "a proof is too long")
        if node & 1 or node == last:
            found = hashlib.sha256(b"\x01" + sibling + found).digest()
            while node and not node & 1:
                node, last = node >> 1, last >> 1
        else:
            found = hashlib.sha256(b"\x01" + found + sibling).digest()
        node, last = node >> 1, last >> 1
    require(last == 0 and found == root, "an entry is not under the checkpoint")


# SD-JWT (RFC 9901 section 7.1), and what entries withhold in the same way.


def told(shown: Json) -> Json:
    """Return an entry with its disclosures in place; ``_sd`` stays where one is erased."""
    entry, texts = strict_json(b64(shown["entry"])), shown.get("disclosures", [])
    by_digest = disclosures_of(texts)
    content = {name: with_rest(member, by_digest) for name, member in entry["content"].items()}
    whole = {**entry, "content": with_rest(content, by_digest)}
    require(not by_digest, "a disclosure answers to no digest of its entry")
    return whole


def with_rest(value: Json, by_digest: dict[str, Json]) -> Json:
    """Return an object with the disclosures in place that it lists, and the digests that are left."""
    if not isinstance(value, dict) or "_sd" not in value:
        return value
    rest = [digest for digest in value["_sd"] if digest not in by_digest]
    whole = {name: member for name, member in value.items() if name != "_sd"}
    for digest in value["_sd"]:
        if digest in by_digest:
            _, name, member = by_digest.pop(digest)
            require(name not in whole and name != "_sd", "a disclosure repeats a member")
            whole[name] = member
    return {**whole, "_sd": rest} if rest else whole


def disclosures_of(texts: list[str]) -> dict[str, Json]:
    """Return what disclosures hold, by their digests."""
    by_digest = {}
    for text in texts:
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode("ascii")).digest()).rstrip(b"=").decode()
        require(digest not in by_digest, "a disclosure stands twice")
        by_digest[digest] = strict_json(b64url(text))
    return by_digest


def disclosed(value: Json, texts: list[str]) -> Json:
    """Return a document with its disclosures in place, each of which must answer to one digest."""
    by_digest = disclosures_of(texts)
    require(value.pop("_sd_alg", "sha-256") == "sha-256", "a digest of another kind")
    document = filled(value, by_digest)
    require(not by_digest, "a disclosure answers to no digest")
    return document


def filled(value: Json, by_digest: dict[str, Json]) -> Json:
    """Return a value with all that its digests name in place."""
    if isinstance(value, dict):
        whole = {name: filled(member, by_digest) for name, member in value.items() if name != "_sd"}
        for digest in value.get("_sd", ()):
            if digest in by_digest:
                _, name, member = by_digest.pop(digest)
                require(name not in whole, "a disclosure repeats a member")
                whole[name] = filled(member, by_digest)
        return whole
    if isinstance(value, list):
        items = []
        for item in value:
            if not isinstance(item, dict) or "..." not in item:
                items.append(filled(item, by_digest))
            elif item["..."] in by_digest:
                _, member = by_digest.pop(item["..."])
                items.append(filled(member, by_digest))
        return items
    return value


# Decisions, as the acceptance was committed to them.


def canonical(value: Json) -> bytes:
    """Return RFC 8785 bytes of a value without floating-point numbers whose names are all ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def decisions_of(entry: Json) -> list[Json]:
    """Return the decisions in an entry, as their digest is made."""
    content = entry["content"]
    if entry["kind"] in ("routed", "consent-requested"):
        return [
            {
                **recipient_of(content),
                "under": content["clause"],
                "lane": content["lane"],
                "reason": content["reason"],
                "terms": terms_of(content.get("terms", {})),
            }
        ]
    if entry["kind"] == "withheld" and "delivery_id" not in content:
        return [
            {
                **recipient_of(each),
                "reason": each["reason"],
                "considered": [[one["clause"], one["reason"]] for one in each["considered"]],
            }
            for each in content["withheld"]
        ]
    return []


def recipient_of(content: Json) -> dict[str, str]:
    """Return whom a decision is about."""
    return {"recipient": content["recipient"], "jurisdiction": home_of(content["recipient"])}


def terms_of(content: Json) -> Json:
    """Return terms with the members that an entry leaves out where they say nothing."""
    return {
        "withholdings": [
            [each["pointer"], each["treatment"], each.get("class", ""), each["clause"]]
            for each in content.get("withheld", ())
        ],
        "deliver_within": content.get("deliver_within"),
        "acknowledge_within": content.get("acknowledge_within"),
        "retain_days": content.get("retain_days"),
        "onward": content.get("onward", "with-consent"),
        "consent_by": content.get("consent_by", []),
        "consent_within": content.get("consent_within"),
        "exercise": content.get("exercise", False),
    }


def grant_of(clause: str, documents: dict[tuple[str, int], Json]) -> tuple[Json, Json] | None:
    """Return the document and the grant of a clause, ``id/version#clause``; None where it is not enclosed."""
    name, _, rest = clause.partition("/")
    version, _, number = rest.partition("#")
    document = documents.get((name, int(version)))
    grants = () if document is None else document["grants"]
    return next(((document, grant) for grant in grants if grant["clause"] == number), None)


def copies_of(obligation: Json) -> list[str]:
    """Return the participants whom an obligation has told."""
    return list(obligation["participants"]) if obligation["obligation"] == "copy-to" else []


CHECKS = {
    "manifest": Bundle.manifest,
    "checkpoint": Bundle.checkpoint,
    "entries": Bundle.entries_check,
    "statements": Bundle.statements,
    "receipt": Bundle.receipt_check,
    "content": Bundle.content,
    "agreements": Bundle.agreements,
    "decisions": Bundle.decisions,
    "deliveries": Bundle.deliveries,
    "acknowledgements": Bundle.acknowledgements,
    "consents": Bundle.consents,
}


def verdicts(data: bytes, pins: Pins) -> dict[str, tuple[str, str]]:
    """Return how each check of a file ends: its outcome, and why where it did not pass. Raises ``UnreadableError``."""
    members, document = opened_archive(data)
    bundle, found = Bundle(members, document, pins), {}
    for name, check in CHECKS.items():
        try:
            check(bundle)
            found[name] = ("passed", "")
        except UncheckableError as error:
            found[name] = ("not-made", str(error))
        except WantingError as error:
            found[name] = ("failed", str(error))
        except MALFORMED:
            found[name] = ("failed", "something is not of the form that it must have")
    return found


def read(path: Path) -> bytes:
    """Return what a file holds. Raises ``UnreadableError`` for one that is too large for a bundle."""
    with path.open("rb") as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise UnreadableError("too large for a bundle")
    return data


def main(arguments: list[str] | None = None) -> int:
    """Run the program and return its status."""
    parser = argparse.ArgumentParser(description="Verify an evidence bundle, offline.")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--jurisdictions", type=Path, required=True)
    parser.add_argument("--log-key", required=True)
    parser.add_argument("--exchange-keys", type=Path)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    try:
        exchange = None if given.exchange_keys is None else given.exchange_keys.read_bytes()
        pins = Pins(given.jurisdictions.read_bytes(), given.log_key, exchange)
        found = verdicts(read(given.bundle), pins)
    except (UnreadableError, OSError, binascii.Error, *MALFORMED) as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 2
    if given.json:
        sys.stdout.write(json.dumps({name: outcome for name, (outcome, _) in found.items()}) + "\n")
    else:
        for name, (outcome, why) in found.items():
            sys.stdout.write(f"{name:17} {outcome:9} {why}\n")
    return 1 if any(outcome == "failed" for outcome, _ in found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
