"""``lacolle demo``, and ``lacolle up``: the same on the real engines."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from lacolle.commands.frame import framed
from lacolle.commands.voice import Voice
from lacolle.logs import write_logs
from schemas.bilingual import Bilingual

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lacolle.demo.capfolder import CapFile
    from lacolle.demo.exchange import RunningDemo
    from lacolle.demo.hosting import Host
    from lacolle.demo.run import DemoOptions, DemoResult


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (demo, up):
        app.command(command.__name__)(framed(command))


KeepOption = Annotated[bool, typer.Option("--keep", help="Leave the exchange running, and say how to talk to it.")]
DirectoryOption = Annotated[
    Path | None, typer.Option("--dir", help="A new or empty folder for the exchange. Default: a temporary one.")
]
AlertsOption = Annotated[
    Path | None,
    typer.Option(
        "--alerts", exists=True, file_okay=False, help="Send every CAP 1.2 file of a folder instead of the samples."
    ),
]


ScenarioOption = Annotated[
    str | None, typer.Option("--scenario", help="Play one relation between governments instead of the samples.")
]
ScenariosOption = Annotated[bool, typer.Option("--scenarios", help="List the scenarios, and run nothing.")]


def demo(
    voice: Voice,
    *,
    keep: KeepOption = False,
    directory: DirectoryOption = None,
    alerts: AlertsOption = None,
    scenario: ScenarioOption = None,
    scenarios: ScenariosOption = False,
) -> None:
    """Run a whole exchange on loopback: agencies send, agreements decide, partners acknowledge, the log is verified."""
    if scenarios or scenario is not None:
        if keep or alerts is not None or (scenarios and scenario is not None):
            raise typer.BadParameter(voice.words(_ALONE))
        _list(voice) if scenario is None else _play(voice, scenario, directory)
        return
    from lacolle.demo.hosting import InThisProcess  # noqa: PLC0415 - the other commands need none of it
    from lacolle.demo.run import DemoOptions, demo_folder  # noqa: PLC0415 - the same

    files, environment = _cap_files(alerts), _settings_of_the_environment(voice)
    with demo_folder(directory) as folder:
        options = DemoOptions(
            language=voice.language,
            as_json=voice.as_json,
            keep=keep,
            directory=folder,
            alerts=files,
            environment=environment,
        )
        _present(voice, options, InThisProcess(log=folder / "lacolle.log"))


def up(
    voice: Voice, *, keep: KeepOption = False, directory: DirectoryOption = None, alerts: AlertsOption = None
) -> None:
    """Run the demonstration as agencies would: gateway, relay and adapters as processes, on PostgreSQL and Kafka."""
    from lacolle.demo.roles import AsRoles  # noqa: PLC0415 - the other commands need none of it
    from lacolle.demo.run import DemoOptions, demo_folder  # noqa: PLC0415 - the same
    from lacolle.local.engines import local_engines  # noqa: PLC0415 - the same

    def announce(text: Bilingual) -> None:
        if not voice.as_json:
            typer.echo(voice.words(text), err=True)

    files, environment = _cap_files(alerts), _settings_of_the_environment(voice)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # whatever ends this ends all that it started
    with demo_folder(directory) as folder:
        world, logs = folder / "world", folder / "logs"
        logs.mkdir(exist_ok=True)
        write_logs(as_json=False, file=logs / "up.log")
        options = DemoOptions(
            language=voice.language,
            as_json=voice.as_json,
            keep=keep,
            directory=world,
            alerts=files,
            environment=environment,
        )
        with local_engines(folder, announce=announce) as engines:
            _present(voice, options, AsRoles(engines, logs=logs, environment=environment))


def _list(voice: Voice) -> None:
    """Say what scenarios there are."""
    from lacolle.scenarios.document import read_scenarios  # noqa: PLC0415 - the other commands need none of it
    from lacolle.scenarios.view import listed  # noqa: PLC0415 - the same

    entries = listed(read_scenarios(), voice.language)
    if voice.as_json:
        typer.echo(orjson.dumps(entries).decode())
        return
    widest = max((len(each["name"]) for each in entries), default=0)
    for each in entries:
        typer.echo(f"{each['name']:{widest}}  {each['relation']}")


def _play(voice: Voice, name: str, directory: Path | None) -> None:
    """Play a scenario, say what each side saw, and end with status 1 where that is not what the scenario says."""
    import uvloop  # noqa: PLC0415 - the other commands need none of it
    from rich.console import Console  # noqa: PLC0415 - the same

    from lacolle.demo.hosting import InThisProcess  # noqa: PLC0415 - the same
    from lacolle.demo.run import demo_folder  # noqa: PLC0415 - the same
    from lacolle.demo.view import View  # noqa: PLC0415 - the same
    from lacolle.scenarios.document import scenario_named  # noqa: PLC0415 - the same
    from lacolle.scenarios.run import run_scenario  # noqa: PLC0415 - the same
    from lacolle.scenarios.view import rendered, result_document  # noqa: PLC0415 - the same

    scenario, environment = scenario_named(name), _settings_of_the_environment(voice)
    with demo_folder(directory) as folder:
        host = InThisProcess(log=folder / "lacolle.log")
        result = uvloop.run(run_scenario(scenario, host, directory=folder, environment=environment))
    if voice.as_json:
        typer.echo(orjson.dumps(result_document(result, voice.language)).decode())
    else:
        view = View(Console(), voice.language)
        view.console.print(rendered(result, view))
    raise typer.Exit(0 if result.as_expected else 1)


def _settings_of_the_environment(voice: Voice) -> Mapping[str, str]:
    """Return the variables that count here, and say which don't. Raises ``SettingsError``."""
    from lacolle.demo.overrides import Overrides  # noqa: PLC0415 - the other commands need none of it

    overrides = Overrides.of(os.environ)
    if (told := overrides.told()) is not None:
        voice.mention(told)
    return overrides.counting


def _cap_files(folder: Path | None) -> Sequence[CapFile] | None:
    """Return what is sent instead of the samples, before anything is started for it. Raises ``ConfigurationError``."""
    from lacolle.demo.capfolder import read_folder_of_cap  # noqa: PLC0415 - the other commands need none of it
    from lacolle.demo.run import CAP_SENDER  # noqa: PLC0415 - the same

    return None if folder is None else read_folder_of_cap(folder, sender=CAP_SENDER)


def _present(voice: Voice, options: DemoOptions, host: Host) -> None:
    """Run a demonstration on a host, say what came of it, and end the process with the status that goes with that."""
    import uvloop  # noqa: PLC0415 - the other commands need none of it

    from lacolle.demo.run import run_demo  # noqa: PLC0415 - the same

    kept: list[DemoResult] = []

    def announce(running: RunningDemo, result: DemoResult) -> None:
        kept.append(result)
        if voice.as_json:
            typer.echo(orjson.dumps(result.summary).decode())
            return
        for line in _invitation(running.description(), running.directory):
            typer.echo(voice.words(line))

    try:
        result = uvloop.run(run_demo(options, host, announce=announce))
    except KeyboardInterrupt:
        raise typer.Exit(0 if kept and not kept[0].unaccounted else 1) from None
    if voice.as_json:
        if not options.keep:  # else it was announced
            typer.echo(orjson.dumps(result.summary).decode())
        for line in result.unaccounted:
            typer.echo(line, err=True)
    raise typer.Exit(1 if result.unaccounted else 0)


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


_ALONE = Bilingual(
    fr="--scenario et --scenarios vont sans --keep ni --alerts, et l'un sans l'autre.",
    en="--scenario and --scenarios go without --keep and --alerts, and one without the other.",
)
