"""``lacolle evidence get``, ``verify``, ``verifier``: an alert's history in one file, checked without help."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table

from audit.errors import AuditError
from audit.evidence.archive import VERIFIER, MalformedBundleError
from audit.evidence.bundle import Bundle, open_bundle
from audit.evidence.findings import CAPTIONS, OUTCOMES, Finding, Outcome
from audit.evidence.limits import limits
from lacolle.commands.auditing import WhyOption
from lacolle.commands.frame import Connection, framed
from lacolle.commands.inputs import read_input, write_bytes
from lacolle.commands.voice import Voice
from lacolle.commands.witnessed import read_policy
from schemas.bilingual import Bilingual

if TYPE_CHECKING:
    from lacolle.evidence.verifying import Verdict

_UNREADABLE: Final = 2
"""The status where a file is no bundle at all."""


def add_to(app: typer.Typer) -> None:
    """Add the group ``evidence`` to the command."""
    group = typer.Typer(help="Evidence bundles: an alert's history, verified offline.", no_args_is_help=True)
    group.command()(framed(get))
    group.command()(framed(verify))
    group.command()(framed(verifier))
    app.add_typer(group, name="evidence")


def get(
    *,
    voice: Voice,
    connection: Connection,
    alert_id: Annotated[str, typer.Argument(help="The exchange's id of the alert.")],
    justification: WhyOption,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write; lacolle-evidence-ALERT_ID.zip else.")
    ] = None,
) -> None:
    """Draw an alert's evidence, as far as you may see it, and write it to a file. It is not verified yet."""
    with connection.client() as client:
        data = client.evidence(alert_id, justification=justification)
    bundle = open_bundle(data)
    if bundle.evidence.alert_id != alert_id.lower():
        raise MalformedBundleError(_ANOTHER_ALERT_S)
    file = output or Path(f"lacolle-evidence-{bundle.evidence.alert_id}.zip")
    write_bytes(file, data)
    voice.answer(
        {
            "file": str(file),
            "bytes": len(data),
            "alert_id": bundle.evidence.alert_id,
            "view": bundle.evidence.drawn.view,
        },
        [
            Bilingual(
                fr=f"{file} : {len(data)} octets, {len(bundle.evidence.entries)} inscriptions. Vérifiez-le avec "
                "« lacolle evidence verify ».",
                en=f"{file}: {len(data)} bytes, {len(bundle.evidence.entries)} entries. Verify it with “lacolle "
                "evidence verify”.",
            )
        ],
    )


def verify(
    *,
    voice: Voice,
    file: Annotated[Path, typer.Argument(help="The bundle.")],
    jurisdictions: Annotated[
        Path,
        typer.Option(
            "--jurisdictions", envvar="LACOLLE_JURISDICTIONS", help="The file of jurisdictions and authority keys."
        ),
    ],
    log_key: Annotated[
        str, typer.Option("--log-key", envvar="LACOLLE_LOG_KEY", help="The log's verifier key, as published.")
    ],
    exchange_keys: Annotated[
        Path | None,
        typer.Option(
            "--exchange-keys", envvar="LACOLLE_EXCHANGE_KEYS", help="File of the exchange's own keys (JWK Set)."
        ),
    ] = None,
    witness_policy: Annotated[
        Path | None,
        typer.Option("--witness-policy", help="Who must have cosigned: a YAML file, as docs/witnesses.md shows."),
    ] = None,
    narrative: Annotated[
        Path | None, typer.Option("--narrative", help="Write the narrative of this evidence anew, to this file.")
    ] = None,
) -> None:
    """Check everything in a bundle, offline, and say what it proves and what it does not.

    Status 0 where no check fails, 1 where one does, 2 where the file is no bundle.
    """
    # the other commands start without the narrative's and the decisions' modules
    from gateway.narrative.page import narrative_page  # noqa: PLC0415 - as above
    from lacolle.evidence.pinning import read_pins  # noqa: PLC0415 - as above
    from lacolle.evidence.verifying import verify_bundle  # noqa: PLC0415 - as above

    pins = read_pins(
        jurisdictions=jurisdictions,
        log_key=log_key,
        exchange_keys=exchange_keys,
        witnesses=None if witness_policy is None else read_policy(witness_policy),
    )
    try:
        bundle = open_bundle(read_input(file))
    except MalformedBundleError as error:
        voice.complain(error)
        raise typer.Exit(_UNREADABLE) from None
    verdict = verify_bundle(bundle, pins)
    unproven = limits_of(bundle)
    if voice.as_json:
        voice.answer(_document(bundle, verdict, unproven), ())
    else:
        _print(voice, bundle, verdict, unproven)
    if narrative is not None:
        write_bytes(narrative, narrative_page(bundle))
    if not verdict.holds:
        raise typer.Exit(1)


def verifier(*, voice: Voice) -> None:
    """Write to standard output the program that verifies bundles by itself, with Python and cryptography alone."""
    program = resources.files("audit.evidence").joinpath(VERIFIER).read_text(encoding="utf-8")
    voice.answer({"verify.py": program}, [program.removesuffix("\n")])


def limits_of(bundle: Bundle) -> tuple[Bilingual, ...]:
    """Return what a bundle leaves unproven; nothing where its entries can't even be read."""
    try:
        return limits(bundle)
    except (AuditError, KeyError, TypeError, ValueError):
        return ()


def _document(bundle: Bundle, verdict: Verdict, unproven: tuple[Bilingual, ...]) -> dict[str, Any]:
    return {
        "holds": verdict.holds,
        "alert_id": bundle.evidence.alert_id,
        "origin": bundle.evidence.origin,
        "view": bundle.evidence.drawn.view,
        "checks": [
            {"check": str(each.check), "outcome": str(each.outcome), "fr": each.words.fr, "en": each.words.en}
            for each in verdict.findings
        ],
        "not_proven": [{"fr": each.fr, "en": each.en} for each in unproven],
    }


def _print(voice: Voice, bundle: Bundle, verdict: Verdict, unproven: tuple[Bilingual, ...]) -> None:
    console = Console(highlight=False, markup=False)
    console.print(f"{bundle.evidence.alert_id}  {bundle.evidence.drawn.view}")
    table = Table()
    for head in _HEADS:
        table.add_column(voice.words(head), overflow="fold")
    for row in _rows(voice, verdict.findings):
        table.add_row(*row)
    console.print(table)
    console.print(voice.words(_HOLDS if verdict.holds else _FAILS))
    console.print(voice.words(_UNPROVEN))
    for each in unproven:
        console.print(f"  • {_shown(voice.words(each))}", soft_wrap=True)


def _rows(voice: Voice, findings: tuple[Finding, ...]) -> Iterator[tuple[str, ...]]:
    for each in findings:
        mark = _MARKS[each.outcome]
        outcome = f"{mark} {voice.words(OUTCOMES[each.outcome])}"
        yield voice.words(CAPTIONS[each.check]), outcome, _shown(voice.words(each.words))


def _shown(text: str) -> str:
    """Return a text that can't speak to the terminal: what is not printable is left out."""
    return "".join(each for each in text if each.isprintable())


_ANOTHER_ALERT_S: Final = Bilingual(
    fr="La plateforme a remis le dossier d'une autre alerte que celle qui était demandée : rien n'a été écrit.",
    en="The exchange has given the bundle of another alert than was asked for: nothing was written.",
)
_MARKS: Final = {Outcome.PASSED: "✓", Outcome.FAILED: "✗", Outcome.NOT_MADE: "·"}
_HEADS: Final = (
    Bilingual(fr="vérification", en="check"),
    Bilingual(fr="résultat", en="outcome"),
    Bilingual(fr="ce qu'elle établit", en="what it establishes"),
)
_HOLDS: Final = Bilingual(
    fr="Aucune vérification n'échoue : ce qui est dit vérifié l'est, sans se fier à l'exploitant.",
    en="No check fails: what is said to be verified is, without trusting its operator.",
)
_FAILS: Final = Bilingual(
    fr="Une vérification échoue : ne vous fiez pas à ce dossier, et conservez-le tel quel.",
    en="A check fails: do not rely on this bundle, and keep it as it is.",
)
_UNPROVEN: Final = Bilingual(fr="Ce dossier ne prouve pas :", en="This bundle does not prove:")
