"""``lacolle agreement lint``, ``sign``, ``explain``, ``diff``, ``simulate``: what an authority does with agreements."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from agreements.diff import Difference, Effect, diff
from agreements.document import Agreement
from agreements.lint import Finding, Severity, lint
from agreements.render import render
from agreements.signed import agreement_bytes, read_signed
from agreements.steps import authorities
from agreements.written import read_agreement
from lacolle.client.surroundings import MACHINE
from lacolle.commands import treaties
from lacolle.commands.frame import KeyOption, framed
from lacolle.commands.inputs import InputError, read_input, write_output
from lacolle.commands.simulating import simulate
from lacolle.commands.voice import Voice
from lacolle.keyfiles import load_key_file
from schemas.bilingual import Bilingual
from schemas.ids import JurisdictionCode
from schemas.registry import Registry
from schemas.signing.jws import AGREEMENT, join_signatures, sign_compact, split_signatures
from schemas.signing.keys import SigningKey

FileArgument = Annotated[Path, typer.Argument(help="The agreement: YAML, or a signed file. - is standard input.")]
ExchangeOption = Annotated[
    Path,
    typer.Option("--exchange", envvar="LACOLLE_EXCHANGE", help="The exchange's folder: who takes part in it."),
]

_SIGNED_FILE: Final = b'{"payload":'
"""How a signed agreement begins: it is canonical JSON, its members in order."""


def add_to(app: typer.Typer) -> None:
    """Add this module's commands to an application, under ``agreement``."""
    group = typer.Typer(help="Write, read and sign agreements.", no_args_is_help=True)
    for name, command in (("lint", check), ("sign", sign), ("explain", explain), ("diff", compare)):
        group.command(name)(framed(command))
    group.command("simulate")(framed(simulate))
    treaties.add_to(group)
    app.add_typer(group, name="agreement")


def check(*, voice: Voice, file: FileArgument, exchange: ExchangeOption) -> None:
    """Find what is wrong in an agreement, or odd, line by line; of a signed one, also who has yet to sign."""
    from lacolle.commands.registry import read_registry  # noqa: PLC0415 - loads the gateway, which no other needs

    registry = read_registry(exchange)
    text, signed = _as_linted(read_input(file), registry)
    findings = lint(
        text,
        file=str(file),
        now=MACHINE.now(),
        jurisdictions=registry.jurisdictions,
        participants=[participant.statement for participant in registry.participants.values()],
        signed=signed,
    )
    voice.answer(
        {"file": str(file), "findings": [_finding_document(finding) for finding in findings]},
        _findings(file, findings),
    )
    if any(finding.severity is Severity.ERROR for finding in findings):
        raise typer.Exit(1)


def sign(
    *,
    voice: Voice,
    file: FileArgument,
    key: KeyOption,
    out: Annotated[Path, typer.Option("--out", help="Where to write the signed agreement.")],
    exchange: Annotated[
        Path | None,
        typer.Option("--exchange", envvar="LACOLLE_EXCHANGE", help="The exchange's folder: who takes part in it."),
    ] = None,
) -> None:
    """Sign an agreement for your jurisdiction, beside the signatures it has already, unless lint finds an error in it.

    Without the exchange's folder, whether it knows who is named is left to the exchange, which refuses such a document.
    """
    content = read_input(file)
    document, payload, signatures = _agreement_in(content, file)
    signer = load_key_file(key)
    _require_sound(document, payload if signatures else content, file, exchange, signer)
    signed = sign_compact(payload, key=signer, profile=AGREEMENT, iat=int(MACHINE.now().timestamp()))
    write_output(out, join_signatures([*signatures, signed]))
    digest = f"sha-256:{hashlib.sha256(payload).hexdigest()}"
    voice.answer(
        {
            "file": str(out),
            "agreement": document.id,
            "version": document.version,
            "digest": digest,
            "kid": signer.kid,
            "signatures": len(signatures) + 1,
            "parties": len(document.parties),
        },
        [
            Bilingual(
                fr=f"Signée avec {signer.kid} : {document.id}, version {document.version} ({digest})",
                en=f"Signed with {signer.kid}: {document.id}, version {document.version} ({digest})",
            ),
            Bilingual(
                fr=f"Signatures : {len(signatures) + 1} sur {len(document.parties)}, dans {out}. L'entente ne lie "
                "personne avant que toutes les parties aient signé.",
                en=f"Signatures: {len(signatures) + 1} of {len(document.parties)}, in {out}. The agreement binds "
                "nobody until every party has signed.",
            ),
        ],
    )


def explain(*, voice: Voice, file: FileArgument) -> None:
    """Show an agreement in words, each clause with what it permits and on which conditions."""
    document, _, _ = _agreement_in(read_input(file), file)
    text = render(document, voice.language)
    voice.answer({"agreement": document.id, "version": document.version, "text": text}, [text])


def compare(
    *,
    voice: Voice,
    old: Annotated[Path, typer.Argument(help="The version that stands: YAML, or a signed file.")],
    new: Annotated[Path, typer.Argument(help="The version that is to replace it.")],
) -> None:
    """Say in words what a new version lets through that the old did not, the reverse, and what else differs."""
    (before, _, _), (after, _, _) = (_agreement_in(read_input(file), file) for file in (old, new))
    if before.id != after.id:
        raise InputError(_another(before, after))
    found = diff(before, after)
    voice.answer(
        {
            "agreement": after.id,
            "old": before.version,
            "new": after.version,
            "differences": [
                {"effect": str(each.effect), "fr": each.sentence.fr, "en": each.sentence.en} for each in found
            ],
        },
        _differences(found),
    )


def _differences(found: tuple[Difference, ...]) -> Iterator[Bilingual]:
    for effect, differences in groupby(found, key=lambda each: each.effect):
        yield _EFFECTS[effect]
        for each in differences:
            yield Bilingual(fr=f"  - {each.sentence.fr}", en=f"  - {each.sentence.en}")
    if not found:
        yield Bilingual(fr="Les deux versions disent la même chose.", en="Both versions say the same.")


def _as_linted(content: bytes, registry: Registry) -> tuple[str, frozenset[JurisdictionCode] | None]:
    """Return the text that a file holds, and of a signed one, whose authorities have signed it.

    Raises ``UntrustedAgreementError`` where a signature is not what it says, and ``InputError``.
    """
    if not content.startswith(_SIGNED_FILE):
        return _text(content), None
    signed = read_signed(content.strip(), registry.jurisdictions)
    return _text(signed.payload), frozenset(signature.party for signature in signed.signatures)


def _require_party(document: Agreement, signer: SigningKey, registry: Registry) -> None:
    """Raise ``InputError`` unless the key is that of a party's authority, as the exchange has pinned it."""
    party, known = authorities(registry.jurisdictions).get(signer.kid, (None, None))
    if known is None or party not in document.parties or known.jwk != signer.public.jwk:
        raise InputError(_NOT_A_PARTY)


def _require_sound(document: Agreement, text: bytes, file: Path, exchange: Path | None, signer: SigningKey) -> None:
    """Raise ``InputError`` with every error that lint finds, and where the key is no party's."""
    from lacolle.commands.registry import read_registry  # noqa: PLC0415 - loads the gateway, which no other needs

    if exchange is None:
        if document.valid.end <= MACHINE.now():
            raise InputError(_OVER)
        return
    registry = read_registry(exchange)
    _require_party(document, signer, registry)
    findings = lint(
        _text(text),
        file=str(file),
        now=MACHINE.now(),
        jurisdictions=registry.jurisdictions,
        participants=[participant.statement for participant in registry.participants.values()],
    )
    errors = list(_findings(file, tuple(each for each in findings if each.severity is Severity.ERROR)))
    if any(each.severity is Severity.ERROR for each in findings):
        raise InputError(Bilingual(fr="\n".join(each.fr for each in errors), en="\n".join(each.en for each in errors)))


def _agreement_in(content: bytes, file: Path) -> tuple[Agreement, bytes, list[bytes]]:
    """Return an agreement, the bytes that its parties sign, and the signatures that its file holds, unverified.

    Raises ``InvalidAgreementError``, ``MalformedJwsError`` and ``InputError``.
    """
    if not content.startswith(_SIGNED_FILE):
        document = read_agreement(_text(content), file=str(file))
        return document, agreement_bytes(document), []
    signatures = split_signatures(content.strip())
    payload = signatures[0].payload
    document = read_agreement(_text(payload), file=str(file))
    if agreement_bytes(document) != payload:
        raise InputError(_NOT_CANONICAL)
    return document, payload, [signature.compact for signature in signatures]


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise InputError(_NOT_TEXT) from None


def _finding_document(finding: Finding) -> dict[str, Any]:
    reason = {"fr": finding.reason.fr, "en": finding.reason.en}
    return {"line": finding.line, "path": finding.path, "severity": str(finding.severity), "reason": reason}


def _findings(file: Path, findings: tuple[Finding, ...]) -> Iterator[Bilingual]:
    for finding in findings:
        place = f"{finding.file}:{finding.line}: " + (f"{finding.path}: " if finding.path else "")
        kind = _KINDS[finding.severity]
        yield Bilingual(fr=f"{place}{kind.fr} : {finding.reason.fr}", en=f"{place}{kind.en}: {finding.reason.en}")
    if not findings:
        yield Bilingual(fr=f"{file} : rien à signaler.", en=f"{file}: nothing to report.")


_KINDS: Final = {
    Severity.ERROR: Bilingual(fr="erreur", en="error"),
    Severity.WARNING: Bilingual(fr="avertissement", en="warning"),
}
_EFFECTS: Final = {
    Effect.MORE: Bilingual(fr="Passe désormais :", en="Now passes:"),
    Effect.LESS: Bilingual(fr="Ne passe plus :", en="No longer passes:"),
    Effect.LOOSER: Bilingual(fr="Moins encadré :", en="Bound by less:"),
    Effect.STRICTER: Bilingual(fr="Plus encadré :", en="Bound by more:"),
    Effect.OTHER: Bilingual(fr="Autres changements :", en="Other changes:"),
}


def _another(old: Agreement, new: Agreement) -> Bilingual:
    return Bilingual(
        fr=f"Ce sont deux ententes, {old.id} et {new.id} : comparez deux versions d'une même entente.",
        en=f"These are two agreements, {old.id} and {new.id}: compare two versions of one.",
    )


_NOT_A_PARTY: Final = Bilingual(
    fr="Cette clé n'est celle de l'autorité d'aucune partie à l'entente, d'après le dossier de la plateforme.",
    en="This key is not that of any party's authority, as the exchange's folder has it.",
)
_OVER: Final = Bilingual(
    fr="Cette entente a déjà pris fin : elle ne peut plus être signée.",
    en="This agreement is over already: it can't be signed any more.",
)
_NOT_CANONICAL: Final = Bilingual(
    fr="Ce qui est signé n'est pas la forme canonique de l'entente : demandez le fichier d'origine.",
    en="What is signed is not the canonical form of the agreement: ask for the original file.",
)
_NOT_TEXT: Final = Bilingual(
    fr="Le fichier n'est pas du texte UTF-8 : enregistrez-le sous cet encodage.",
    en="The file is not UTF-8 text: save it in that encoding.",
)
