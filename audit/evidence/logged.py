"""Checks of a bundle against the log: the manifest, the checkpoint, and every entry under it."""

from __future__ import annotations

from typing import Final

from audit.checkpoints import CheckpointBody
from audit.evidence.archive import MANIFEST
from audit.evidence.bundle import Bundle, Pins, opened, require_signed, word_in
from audit.evidence.document import Manifest, ManifestFile, decoded, digest_of
from audit.evidence.findings import UncheckableError, WantingError
from audit.kinds import Kind
from audit.merkle import leaf_hash, verify_inclusion
from audit.note import open_note
from audit.withheld import withholds
from schemas.bilingual import Bilingual
from schemas.signing.jws import EVIDENCE


def check_manifest(bundle: Bundle, pins: Pins) -> Bilingual:
    """Find every member, byte for byte, to be what the exchange signed when the bundle was drawn."""
    unverified = opened(bundle.members[MANIFEST], EVIDENCE)
    require_signed(unverified, bundle.exchange_key(unverified.kid, pins), _NOT_SIGNED)
    manifest = word_in(unverified, Manifest)
    files = tuple(
        ManifestFile(name=name, digest=digest_of(content))
        for name, content in bundle.members.items()
        if name != MANIFEST
    )
    if (manifest.files, manifest.alert_id) != (files, bundle.evidence.alert_id):
        raise WantingError(_OTHER_MEMBERS)
    if pins.exchange is None:
        raise UncheckableError(_OWN_KEY)
    if any(pins.exchange.get(key.kid) != key for key in bundle.evidence.exchange_keys):
        raise WantingError(_OTHER_KEYS)
    return _SIGNED


def check_checkpoint(bundle: Bundle, pins: Pins) -> Bilingual:
    """Find the checkpoint signed by the log's own key, under the name that the bundle gives the log."""
    body = CheckpointBody.parse(open_note(bundle.evidence.checkpoint.encode(), pins.log))
    if not body.origin == pins.log.name == bundle.evidence.origin:
        raise WantingError(_OTHER_LOG)
    return Bilingual(
        fr=f"Le journal {body.origin} a signé son arbre de {body.size} inscriptions.",
        en=f"The log {body.origin} has signed its tree of {body.size} entries.",
    )


def check_witnesses(bundle: Bundle, pins: Pins) -> Bilingual:
    """Find the checkpoint to be cosigned by the witnesses that are demanded.

    Where none are, say how many signatures beside the log's own it bears: whose they are nobody knows here.
    """
    if pins.witnesses is not None:
        cosigned = pins.witnesses.require(bundle.evidence.checkpoint.encode())
        names = ", ".join(each.name for each in cosigned)
        return Bilingual(fr=f"Cosigné par {names}.", en=f"Cosigned by {names}.")
    lines = bundle.evidence.checkpoint.rpartition("\n\n")[2].count("\n")
    if lines <= 1:
        raise UncheckableError(_NO_WITNESS)
    others = lines - 1
    raise UncheckableError(
        Bilingual(
            fr=f"Le point de contrôle porte {others} autre(s) signature(s), que rien ne permet d'examiner sans "
            "--witness-policy.",
            en=f"The checkpoint bears {others} other signature(s), which can't be examined without --witness-policy.",
        )
    )


def check_entries(bundle: Bundle, _pins: Pins) -> Bilingual:
    """Find every entry to be what the log committed to at its index, under the checkpoint, and about this alert.

    So is what is disclosed of those that withhold something: each disclosure answers to a digest in its entry.
    """
    body = tree_of(bundle)
    evidence = bundle.evidence
    entries = [(each.index, each.commitment, each.proof) for each in evidence.entries]
    sealed = [(each.index, bytes.fromhex(each.commitment), each.proof) for each in evidence.sealed]
    places = [index for index, _, _ in entries]
    if places != sorted(set(places)) or {index for index, _, _ in sealed} & set(places):
        raise WantingError(_OUT_OF_ORDER)
    for index, committed, proof in (*entries, *sealed):
        verify_inclusion(
            leaf=leaf_hash(committed),
            index=index,
            size=body.size,
            proof=[decoded(each) for each in proof],
            root=body.root,
        )
    for each in evidence.entries:
        if each.told.index != each.index:
            raise WantingError(_OUT_OF_ORDER)
        if each.read.alert_id not in (None, evidence.alert_id):
            raise WantingError(_ANOTHER_ALERT)
    _require_acceptance(bundle)
    proven = Bilingual(
        fr=f"{len(places) + len(sealed)} inscriptions sont prouvées sous ce point de contrôle.",
        en=f"{len(places) + len(sealed)} entries are proven under this checkpoint.",
    )
    wanting = sum(withholds(each.told.content) for each in evidence.entries)
    if not wanting:
        return proven
    return Bilingual(
        fr=f"{proven.fr} De {wanting} d'entre elles, ce qu'elles taisent a été effacé; seules les empreintes restent.",
        en=f"{proven.en} Of {wanting} of them what they withhold was erased; only the digests are left.",
    )


def tree_of(bundle: Bundle) -> CheckpointBody:
    """Return what the checkpoint claims, whoever signed it. Raises ``AuditError``."""
    return CheckpointBody.parse(bundle.evidence.checkpoint.partition("\n\n")[0] + "\n")


def _require_acceptance(bundle: Bundle) -> None:
    """Raise ``WantingError`` unless the acceptance is there, once: whole or sealed, and at the receipt's index."""
    accepted = [each for each in bundle.about_the_alert if each.kind == Kind.ACCEPTED]
    whole = [each.index for each in accepted]
    sealed = [each.index for each in bundle.evidence.sealed]
    if [*whole, *sealed] != [bundle.acceptance.log_index]:
        raise WantingError(_NO_ACCEPTANCE)


def logged_digests(bundle: Bundle, kinds: frozenset[Kind], member: str) -> dict[int, str]:
    """Return a digest that entries of some kinds hold, by their index."""
    return {
        each.read.index: str(each.read.content.get(member, ""))
        for each in bundle.evidence.entries
        if each.read.kind in kinds
    }


_SIGNED: Final = Bilingual(
    fr="Chaque membre du dossier est, octet pour octet, celui que la plateforme a signé.",
    en="Every member of the bundle is, byte for byte, the one that the exchange signed.",
)
_OWN_KEY: Final = Bilingual(
    fr="Le dossier est signé, mais par une clé que lui seul nomme : donnez celles de la plateforme (--exchange-keys).",
    en="The bundle is signed, but by a key that it alone names: give the exchange's own (--exchange-keys).",
)
_NOT_SIGNED: Final = Bilingual(
    fr="Le dossier n'est pas signé par une clé de la plateforme.",
    en="The bundle is not signed by a key of the exchange.",
)
_OTHER_MEMBERS: Final = Bilingual(
    fr="Un membre du dossier n'est pas celui que la plateforme a signé.",
    en="A member of the bundle is not the one that the exchange signed.",
)
_OTHER_KEYS: Final = Bilingual(
    fr="Le dossier nomme une clé de la plateforme qui n'est pas parmi les siennes.",
    en="The bundle names a key of the exchange that is not among its own.",
)
_OTHER_LOG: Final = Bilingual(
    fr="Le point de contrôle est celui d'un autre journal.", en="The checkpoint is that of another log."
)
_NO_WITNESS: Final = Bilingual(
    fr="Aucun témoin n'a cosigné le point de contrôle : que tous voient le même arbre ne repose que sur la parole de "
    "la plateforme.",
    en="No witness has cosigned the checkpoint: that everybody is shown the same tree rests on the exchange's word.",
)
_OUT_OF_ORDER: Final = Bilingual(fr="Une inscription n'est pas à sa place.", en="An entry is not in its place.")
_ANOTHER_ALERT: Final = Bilingual(
    fr="Une inscription concerne une autre alerte.", en="An entry is about another alert."
)
_NO_ACCEPTANCE: Final = Bilingual(
    fr="L'acceptation de l'alerte n'est pas à l'index que nomme le reçu.",
    en="The alert's acceptance is not at the index that the receipt names.",
)
