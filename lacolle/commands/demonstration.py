"""``lacolle demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from lacolle.commands.frame import framed
from lacolle.commands.voice import Voice
from lacolle.logs import write_logs
from schemas.bilingual import Bilingual


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(framed(demo))


def demo(
    voice: Voice,
    *,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the exchange running, and say how to talk to it.")
    ] = False,
    directory: Annotated[
        Path | None, typer.Option("--dir", help="A new or empty folder for the exchange. Default: a temporary one.")
    ] = None,
    alerts: Annotated[
        Path | None,
        typer.Option(
            "--alerts", exists=True, file_okay=False, help="Send every CAP 1.2 file of a folder instead of the samples."
        ),
    ] = None,
) -> None:
    """Run a whole exchange on loopback: agencies send, agreements decide, partners acknowledge, the log is verified."""
    import uvloop  # noqa: PLC0415 - the other commands need none of it

    from lacolle.demo.exchange import RunningDemo  # noqa: PLC0415 - the same
    from lacolle.demo.run import DemoOptions, DemoResult, run_demo  # noqa: PLC0415 - the same

    write_logs(as_json=False, file=Path("/dev/null") if directory is None else _log_file(directory))
    options = DemoOptions(language=voice.language, as_json=voice.as_json, keep=keep, directory=directory, alerts=alerts)

    kept: list[DemoResult] = []

    def announce(running: RunningDemo, result: DemoResult) -> None:
        kept.append(result)
        if voice.as_json:
            typer.echo(orjson.dumps(result.summary).decode())
            return
        for line in _invitation(running.description(), running.directory):
            typer.echo(voice.words(line))

    try:
        result = uvloop.run(run_demo(options, announce=announce))
    except KeyboardInterrupt:
        raise typer.Exit(0 if kept and not kept[0].unaccounted else 1) from None
    if voice.as_json:
        if not keep:  # else it was announced
            typer.echo(orjson.dumps(result.summary).decode())
        for line in result.unaccounted:
            typer.echo(line, err=True)
    raise typer.Exit(1 if result.unaccounted else 0)


def _log_file(directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    return directory / "lacolle.log"


def _invitation(description: dict[str, Any], directory: Path) -> list[Bilingual | str]:
    """Return what a visitor can do with an exchange that is left running."""
    sender, recipient = (
        next(each for each in description["participants"] if each["id"] == name) for name in ("ca-qc.sq", "us-ny.nysp")
    )
    environment = f"LACOLLE_URL={description['base_url']} LACOLLE_CA_FILE={description['ca_file']}"
    return [
        Bilingual(
            fr="La plateforme reste en marche (Ctrl-C pour l'arrêter) :",
            en="The exchange keeps running (Ctrl-C stops it):",
        ),
        f"  {description['base_url']}",
        f"  {directory / 'demo.json'}",
        "",
        Bilingual(fr="Envoyer une alerte, puis la relire :", en="Send an alert, then read it back:"),
        f"  export {environment}",
        f"  export LACOLLE_PARTICIPANT={sender['id']} LACOLLE_KEY={sender['private_key_file']}",
        f"  lacolle send {directory / 'alert.json'}",
        f"  lacolle status --identifier {description['sample_identifier']}",
        "",
        Bilingual(fr="La relire comme un destinataire :", en="Read it as a recipient:"),
        f"  lacolle status --participant {recipient['id']} --key {recipient['private_key_file']} \\",
        f"    --sender {sender['id']} --identifier {description['sample_identifier']}",
        "",
        Bilingual(fr="Vérifier le journal sans se fier à personne :", en="Verify the log, trusting nobody:"),
        f"  lacolle log verify --url {description['base_url']} --ca-file {description['ca_file']} \\",
        f"    --log-key '{description['log_verifier_key']}'",
    ]
