"""``lacolle witness init``, ``trust``, ``serve``: the witness of a jurisdiction."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from lacolle.commands.frame import framed
from lacolle.commands.voice import Voice
from lacolle.logs import write_logs
from schemas.bilingual import Bilingual

FolderArgument = Annotated[Path, typer.Argument(metavar="DIRECTORY", help="A folder that lacolle witness init made.")]


def add_to(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = typer.Typer(help="A witness of the exchange log.", no_args_is_help=True)
    for command in (init, trust, serve):
        group.command(command.__name__)(framed(command))
    app.add_typer(group, name="witness")


def init(
    *,
    voice: Voice,
    directory: Annotated[Path, typer.Argument(help="A new or empty folder.")],
    name: Annotated[str, typer.Option("--name", help="The witness's name, for good: witness.gouv.example/qc.")],
    logs: Annotated[
        list[str] | None, typer.Option("--log-key", help="The verifier key of a log to witness; may be repeated.")
    ] = None,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port to listen on.")] = 8444,
) -> None:
    """Make a witness's folder with a new key, and show its verifier key."""
    from lacolle.witness.folder import create_witness  # noqa: PLC0415 - the other commands start without a server

    folder = create_witness(directory, name=name, host=host, port=port, logs=logs or ())
    key = folder.cosigner.key.vkey
    voice.answer(
        {"directory": str(directory), "witness_key": key},
        [
            Bilingual(fr=f"Dossier créé : {directory}", en=f"Folder made: {directory}"),
            Bilingual(
                fr=f"Clé de vérification du témoin, à remettre à la plateforme et à publier : {key}",
                en=f"The witness's verifier key, for the exchange and to be published: {key}",
            ),
            Bilingual(
                fr=f"Ensuite : « lacolle witness trust {directory} CLÉ » pour chaque journal, puis « lacolle witness "
                f"serve {directory} ».",
                en=f"Next: “lacolle witness trust {directory} KEY” for each log, then “lacolle witness serve "
                f"{directory}”.",
            ),
        ],
    )


def trust(
    *,
    voice: Voice,
    directory: FolderArgument,
    log_key: Annotated[str, typer.Argument(help="The log's verifier key, name+id+key, as published.")],
) -> None:
    """Begin to witness a log; a witness that is running takes note of it when it is started again."""
    from lacolle.witness.folder import read_log_key, read_witness  # noqa: PLC0415 - the same

    verifier = read_log_key(log_key)
    read_witness(directory).memory.trust(verifier)
    voice.answer(
        {"origin": verifier.name},
        [Bilingual(fr=f"Journal reconnu : {verifier.name}", en=f"Log known from now on: {verifier.name}")],
    )


def serve(
    *,
    voice: Voice,
    directory: FolderArgument,
    insecure_http: Annotated[
        bool, typer.Option("--insecure-http", help="Serve plain HTTP, on a loopback address alone.")
    ] = False,
) -> None:
    """Run the witness until SIGINT or SIGTERM."""
    import structlog  # noqa: PLC0415 - the same
    import uvloop  # noqa: PLC0415 - the same

    from gateway.clock import system_clock  # noqa: PLC0415 - the same
    from lacolle.door.sockets import Address, bind, listen_tls  # noqa: PLC0415 - the same
    from lacolle.processes.lineup import run_until_told  # noqa: PLC0415 - the same
    from lacolle.witness.folder import SETTINGS, read_witness  # noqa: PLC0415 - the same
    from lacolle.witness.server import WitnessServer  # noqa: PLC0415 - the same

    folder = read_witness(directory)
    write_logs(as_json=voice.as_json, level="info")
    listen = folder.settings.listen
    tls = listen_tls(listen, directory, insecure_http=insecure_http, file=SETTINGS)
    with closing(bind(listen.host, listen.port, setting=f"listen.port, {SETTINGS}")) as bound:
        server = WitnessServer(folder, bound=bound, tls=tls, clock=system_clock)
        structlog.get_logger(__name__).info(
            "witnessing", address=str(Address.of(bound, tls=tls is not None)), origins=server.witness.origins
        )
        uvloop.run(run_until_told(server, grace=folder.settings.grace))
