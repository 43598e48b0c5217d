"""``lacolle agreement new``, ``propose``, ``suspend``, ``resume``, ``withdraw``, ``accede``, ``show``.

What an authority states is signed here, over the digest of the very document in its file, and posted; the signature is
the credential. ``show`` asks as a participant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Final

import orjson
import typer
from pydantic import ValidationError

from agreements.document import Agreement, Text
from agreements.signed import agreement_bytes
from agreements.steps import Step, StepKind, document_digest, sign_step
from agreements.written import read_agreement
from audit.kinds import KINDS
from lacolle.client.answers import AgreementShown, AgreementSummary
from lacolle.client.calls import Call, Caller
from lacolle.client.surroundings import MACHINE
from lacolle.commands.frame import Connection, KeyOption, framed
from lacolle.commands.inputs import InputError, read_input, write_output
from lacolle.commands.voice import Voice
from lacolle.keyfiles import load_key_file
from schemas.bilingual import Bilingual
from schemas.ids import JurisdictionCode, ParticipantId, home_of
from schemas.signing.jws import split_signatures
from schemas.signing.keys import SigningKey
from schemas.timestamps import utc_text

_SIGNED_FILE: Final = b'{"payload":'
"""How a signed agreement begins: it is canonical JSON, its members in order."""
_TIMEOUT: Final = 30.0
_PATIENCE: Final = 30.0

SignedArgument = Annotated[Path, typer.Argument(help="The agreement, signed or as YAML. - is standard input.")]
UrlOption = Annotated[str, typer.Option("--url", envvar="LACOLLE_URL", help="The exchange's address.")]
CaFileOption = Annotated[
    Path | None,
    typer.Option("--ca-file", envvar="LACOLLE_CA_FILE", help="Certificate authority of the exchange (PEM)."),
]
PartyOption = Annotated[
    str | None,
    typer.Option("--party", help="The jurisdiction that speaks, if the key's name does not say."),
]
ReasonOption = Annotated[
    tuple[str, str] | None, typer.Option("--reason", help="Why, in French and in English: two texts.")
]


def add_to(group: typer.Typer) -> None:
    """Add this module's commands to the group ``agreement``."""
    for command in (new, propose, show):
        group.command()(framed(command))
    for name, kind, told in _STEPS:
        group.command(name)(framed(_stating(name, kind, told)))


def new(
    *,
    voice: Voice,
    identifier: Annotated[str, typer.Argument(help="The agreement's identifier, such as ca-qc.us-ny.crime-2026.")],
    party: Annotated[list[str], typer.Option("--party", help="A party's jurisdiction; once for each.")],
    out: Annotated[Path, typer.Option("--out", help="Where to write the draft.")],
) -> None:
    """Write the draft of an agreement, to be filled in and linted."""
    draft = _DRAFT.format(id=identifier, parties=", ".join(party), first=party[0], last=party[-1])
    read_agreement(draft, file=str(out))
    if out.exists():
        raise InputError(_there_already(out))
    write_output(out, draft.encode())
    voice.answer(
        {"file": str(out), "agreement": identifier, "version": 1},
        [
            Bilingual(
                fr=f"Ébauche écrite dans {out} : remplacez chaque « … », puis « lacolle agreement lint {out} ».",
                en=f"Draft written to {out}: replace every “…”, then “lacolle agreement lint {out}”.",
            )
        ],
    )


def propose(
    *,
    voice: Voice,
    file: Annotated[Path, typer.Argument(help="The signed agreement, as sign writes it; - is standard input.")],
    url: UrlOption,
    ca_file: CaFileOption = None,
) -> None:
    """Put a signed agreement to an exchange: to the other parties, or, where it has all signatures, into force."""
    content = read_input(file).strip()
    if not content.startswith(_SIGNED_FILE):
        raise InputError(_NOT_SIGNED)
    split_signatures(content)
    told = _post(voice, "/v1/agreements", content, url=url, ca_file=ca_file, media_type="application/jose+json")
    voice.answer(
        told,
        [
            Bilingual(
                fr=f"{told['agreement']}, version {told['version']} : inscription n° {told['log_index']}.",
                en=f"{told['agreement']}, version {told['version']}: log entry {told['log_index']}.",
            )
        ],
    )


def show(
    *,
    voice: Voice,
    connection: Connection,
    name: Annotated[str | None, typer.Argument(help="ID/VERSION; all agreements where it is left out.")] = None,
) -> None:
    """Show agreements and their states; of one, who signed it and what became of it since."""
    with connection.client() as client:
        if name is None:
            summaries = client.agreements()
            voice.answer(
                {"agreements": [each.model_dump(mode="json", by_alias=True) for each in summaries]},
                [_line(each) for each in summaries] or [_NONE],
            )
            return
        agreement, _, version = name.rpartition("/")
        if not version.isascii() or not version.isdigit():
            raise InputError(_NO_NAME)
        shown = client.agreement(agreement, int(version))
    voice.answer(shown.model_dump(mode="json", by_alias=True), _told(shown))


def _stating(name: str, kind: StepKind, told: Bilingual) -> Callable[..., None]:
    """Return the command that has an authority state something about an agreement."""

    def command(
        *,
        voice: Voice,
        file: SignedArgument,
        key: KeyOption,
        url: UrlOption,
        ca_file: CaFileOption = None,
        party: PartyOption = None,
        reason: ReasonOption = None,
    ) -> None:
        document, payload = _document_in(read_input(file), file)
        signer = load_key_file(key)
        step = _step(document, payload, kind, _party(document, signer, party), reason)
        path = f"/v1/agreements/{document.id}/{document.version}/{kind.value}s"
        answer = _post(voice, path, sign_step(step, signer), url=url, ca_file=ca_file, media_type="application/jose")
        place = answer["log_index"]
        line = Bilingual(fr=f"{told.fr} Inscription n° {place}.", en=f"{told.en} Log entry {place}.")
        voice.answer({**answer, "step": kind.value, "party": step.party}, [line])

    command.__name__ = name
    command.__doc__ = _HELP[kind]
    return command


def _post(
    voice: Voice, path: str, content: bytes, *, url: str, ca_file: Path | None, media_type: str
) -> dict[str, str | int]:
    caller = Caller(
        url, ca_file=ca_file, language=voice.language, timeout=_TIMEOUT, patience=_PATIENCE, surroundings=MACHINE
    )
    try:
        call = Call("POST", path, content=content, headers={"Content-Type": media_type})
        told: dict[str, str | int] = orjson.loads(caller.answer(lambda: call).content)
    finally:
        caller.close()
    return told


def _document_in(content: bytes, file: Path) -> tuple[Agreement, bytes]:
    """Return an agreement and the bytes that its parties sign. Raises as ``read_agreement``, and ``InputError``."""
    text = content.strip()
    if text.startswith(_SIGNED_FILE):
        text = split_signatures(text)[0].payload
    document = read_agreement(text.decode("utf-8", "replace"), file=str(file))
    return document, agreement_bytes(document)


def _party(document: Agreement, signer: SigningKey, named: str | None) -> JurisdictionCode:
    """Return who speaks. Raises ``InputError`` where neither the command nor the key's name says a party."""
    party = JurisdictionCode(named) if named is not None else home_of(ParticipantId(signer.kid))
    if party not in (*document.parties, *document.may_accede):
        raise InputError(_NO_PARTY)
    return party


def _step(
    document: Agreement, payload: bytes, kind: StepKind, party: JurisdictionCode, reason: tuple[str, str] | None
) -> Step:
    try:
        return Step(
            agreement=document.id,
            version=document.version,
            digest=document_digest(payload),
            step=kind,
            party=party,
            at=utc_text(MACHINE.now()),
            reason=None if reason is None else Text(fr=reason[0], en=reason[1]),
        )
    except ValidationError:
        raise InputError(_NO_REASON) from None


def _line(summary: AgreementSummary) -> Bilingual:
    state = _STATES.get(summary.state, Bilingual(fr=summary.state, en=summary.state))
    name = f"{summary.id}/{summary.version}"
    return Bilingual(
        fr=f"{name:<44} {state.fr:<24} {summary.title.fr}", en=f"{name:<44} {state.en:<24} {summary.title.en}"
    )


def _told(shown: AgreementShown) -> Iterator[Bilingual | str]:
    yield _line(shown)
    yield Bilingual(
        fr=f"Du {shown.valid.start} au {shown.valid.until}; parties : {', '.join(shown.parties)}.",
        en=f"From {shown.valid.start} until {shown.valid.until}; parties: {', '.join(shown.parties)}.",
    )
    if shown.missing:
        names = ", ".join(shown.missing)
        yield Bilingual(fr=f"Signatures attendues : {names}.", en=f"Signatures awaited: {names}.")
    for event in shown.history:
        words = _caption(event.kind)
        who = f" ({event.jurisdiction})" if event.jurisdiction else ""
        place = f"{event.time}  {event.log_index:>8}  "
        yield Bilingual(fr=f"{place}{words.fr}{who}", en=f"{place}{words.en}{who}")


def _there_already(file: Path) -> Bilingual:
    return Bilingual(
        fr=f"{file} existe déjà, et une ébauche n'écrase rien : choisissez un autre nom.",
        en=f"{file} exists already, and a draft replaces nothing: choose another name.",
    )


def _caption(kind: str) -> Bilingual:
    """Return the words for a kind of entry; of one that this program does not know, its name."""
    known = {each.value: rule.caption for each, rule in KINDS.items()}
    return known.get(kind, Bilingual(fr=kind, en=kind))


_STATES: Final = {
    "proposed": Bilingual(fr="proposée", en="proposed"),
    "signed": Bilingual(fr="signée, à venir", en="signed, yet to begin"),
    "in-force": Bilingual(fr="en vigueur", en="in force"),
    "suspended": Bilingual(fr="suspendue", en="suspended"),
    "replaced": Bilingual(fr="remplacée", en="replaced"),
    "ended": Bilingual(fr="terminée par retrait", en="ended by withdrawal"),
    "expired": Bilingual(fr="échue", en="expired"),
    "altered": Bilingual(fr="ALTÉRÉE, sans effet", en="ALTERED, of no effect"),
}
_STEPS: Final = (
    ("suspend", StepKind.SUSPENSION, Bilingual(fr="L'entente est suspendue.", en="The agreement is suspended.")),
    (
        "resume",
        StepKind.RESUMPTION,
        Bilingual(
            fr="Votre déclaration est inscrite; l'entente est rétablie quand chaque partie en a fait autant.",
            en="Your statement is recorded; the agreement is resumed once every party has made one.",
        ),
    ),
    ("withdraw", StepKind.WITHDRAWAL, Bilingual(fr="Votre retrait est inscrit.", en="Your withdrawal is recorded.")),
    ("accede", StepKind.ACCESSION, Bilingual(fr="Votre adhésion est inscrite.", en="Your accession is recorded.")),
)
_HELP: Final = {
    StepKind.SUSPENSION: "Suspend an agreement, at once; every party must resume it.",
    StepKind.RESUMPTION: "State that an agreement may be resumed; it is once every party has.",
    StepKind.WITHDRAWAL: "Withdraw from an agreement, at once and for good.",
    StepKind.ACCESSION: "Accede to an agreement that names your jurisdiction as one that may.",
}
_NONE: Final = Bilingual(fr="Aucune entente.", en="No agreement.")
_NO_NAME: Final = Bilingual(
    fr="Nommez l'entente et sa version, comme ca-qc.us-ny.crime-2008/1.",
    en="Name the agreement and its version, such as ca-qc.us-ny.crime-2008/1.",
)
_NO_PARTY: Final = Bilingual(
    fr="La clé ne dit pas au nom de quelle partie elle parle : nommez-la avec --party.",
    en="The key does not say for which party it speaks: name it with --party.",
)
_NOT_SIGNED: Final = Bilingual(
    fr="Cette entente n'est pas signée : « lacolle agreement sign » d'abord, puis proposez le fichier que cela écrit.",
    en="This agreement is not signed: “lacolle agreement sign” first, then propose the file that it writes.",
)
_NO_REASON: Final = Bilingual(
    fr="Le motif doit être un texte en français et un en anglais, sans caractère caché.",
    en="The reason must be a text in French and one in English, without hidden characters.",
)
_DRAFT: Final = """\
agreement: lacolle.agreement/v1
id: {id}
version: 1
title: {{fr: "…", en: "…"}}
purpose: {{fr: "…", en: "…"}}
legal_basis: {{fr: "…", en: "…"}}
privacy_assessment: {{fr: "…", en: "…"}}
parties: [{parties}]
# Who may join by its own statement alone; without this line nobody.
# accession: [US-ME]
valid:
  from: "2027-01-01T00:00:00-05:00"
  until: "2030-01-01T00:00:00-05:00"
grants:
  - clause: "1"
    from: [{first}]
    to: [{last}]
    types: [law-enforcement/stolen-vehicle/v1]
    conditions:
      - {{condition: status, in: [Actual]}}
      - {{condition: tlp, ceiling: AMBER}}
    obligations:
      - {{obligation: lane, lane: routine}}"""
