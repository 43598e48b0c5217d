"""``lacolle init``, ``serve``, and the roles one by one: what an operator runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from lacolle.commands.frame import framed
from lacolle.commands.voice import Voice
from lacolle.logs import write_logs
from schemas.bilingual import Bilingual


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("init")(framed(init))
    for command in (serve, gateway, relay, adapters):
        app.command(command.__name__)(framed(command))


FolderArgument = Annotated[Path, typer.Argument(metavar="DIRECTORY", help="A folder that lacolle init made.")]
InsecureOption = Annotated[bool, typer.Option("--insecure-http", help="Serve plain HTTP, on a loopback address alone.")]
OperationPortOption = Annotated[
    int | None,
    typer.Option(
        "--operation-port", min=1, max=65535, help="The port of health and metrics, instead of operation.port."
    ),
]


def init(
    *,
    directory: Annotated[Path, typer.Argument(help="A new or empty folder.")],
    voice: Voice,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port to listen on.")] = 8443,
    base_url: Annotated[
        str | None, typer.Option(help="How the outside reaches the exchange. Default: https://HOST:PORT.")
    ] = None,
    origin: Annotated[str, typer.Option(help="The name of the exchange log, for good.")] = "lacolle.example/log",
) -> None:
    """Make an exchange's folder: new keys, settings, and a place for jurisdictions, statements and agreements."""
    from lacolle.folder import create_folder, read_folder  # noqa: PLC0415 - the other commands start without a gateway

    named = f"[{host}]" if ":" in host else host  # RFC 3986 section 3.2.2
    settings = create_folder(
        directory, base_url=base_url or f"https://{named}:{port}", origin=origin, host=host, port=port
    )
    keys = read_folder(directory).keys
    voice.answer(
        {"settings": str(settings), "log_verifier_key": keys.log.vkey},
        [
            Bilingual(fr=f"Dossier créé : {directory}", en=f"Folder made: {directory}"),
            Bilingual(
                fr=f"Clé de vérification du journal, à publier : {keys.log.vkey}",
                en=f"The log's verifier key, to be published: {keys.log.vkey}",
            ),
            Bilingual(
                fr="Ensuite : inscrivez les administrations dans jurisdictions.yaml, déposez les attestations et les "
                f"ententes signées, puis lancez « lacolle serve {directory} ».",
                en="Next: name the jurisdictions in jurisdictions.yaml, put signed statements and agreements into "
                f"their folders, then run “lacolle serve {directory}”.",
            ),
        ],
    )


def serve(
    *,
    directory: FolderArgument,
    voice: Voice,
    insecure_http: InsecureOption = False,
    operation_port: OperationPortOption = None,
) -> None:
    """Run an exchange: gateway, relay and adapters in one process."""
    import uvloop  # noqa: PLC0415 - the other commands start without a gateway

    from lacolle.folder import read_folder  # noqa: PLC0415 - the same
    from lacolle.processes.node import serve as serve_node  # noqa: PLC0415 - the same

    folder = read_folder(directory, os.environ)
    write_logs(as_json=voice.as_json, level=folder.settings.operation.log_level)
    uvloop.run(serve_node(folder, insecure_http=insecure_http, operation_port=operation_port))


def gateway(
    *,
    directory: FolderArgument,
    voice: Voice,
    workers: Annotated[
        int, typer.Option("--workers", min=1, max=64, help="Processes that share the listening port.")
    ] = 1,
    insecure_http: InsecureOption = False,
    operation_port: OperationPortOption = None,
) -> None:
    """Run the gateway role: take alerts, answer questions. Any number may run, on PostgreSQL."""
    from lacolle.folder import read_folder  # noqa: PLC0415 - the same
    from lacolle.processes.gateway import serve_gateway  # noqa: PLC0415 - the same

    folder = read_folder(directory, os.environ)
    write_logs(as_json=voice.as_json, level=folder.settings.operation.log_level)
    status = serve_gateway(
        folder, workers=workers, insecure_http=insecure_http, operation_port=operation_port, complain=voice.complain
    )
    raise typer.Exit(status)


def relay(*, directory: FolderArgument, voice: Voice, operation_port: OperationPortOption = None) -> None:
    """Run the relay role: publish, record, watch deadlines, sign the log. One is active; others stand by."""
    import uvloop  # noqa: PLC0415 - the same

    from lacolle.folder import read_folder  # noqa: PLC0415 - the same
    from lacolle.processes.relay import run_relay  # noqa: PLC0415 - the same

    folder = read_folder(directory, os.environ)
    write_logs(as_json=voice.as_json, level=folder.settings.operation.log_level)
    uvloop.run(run_relay(folder, operation_port=operation_port))


def adapters(
    *,
    directory: FolderArgument,
    voice: Voice,
    participants: Annotated[
        list[str] | None,
        typer.Option("--participant", help="A partner to deliver to; may be repeated. Default: all with a profile."),
    ] = None,
    operation_port: OperationPortOption = None,
) -> None:
    """Run the adapters role: hand parcels to partners. Any number may run; they share the work."""
    import uvloop  # noqa: PLC0415 - the same

    from lacolle.folder import read_adapters_folder  # noqa: PLC0415 - the same
    from lacolle.processes.adapters import run_adapters  # noqa: PLC0415 - the same

    folder = read_adapters_folder(directory, os.environ)
    write_logs(as_json=voice.as_json, level=folder.settings.operation.log_level)
    uvloop.run(run_adapters(folder, participants=participants or (), operation_port=operation_port))
