"""``lacolle keygen``: make a participant's or an authority's key. ``lacolle keys``: those of an exchange's content."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from lacolle.commands.frame import framed
from lacolle.commands.inputs import InputError
from lacolle.commands.voice import Voice
from lacolle.errors import ConfigurationError
from lacolle.keyfiles import write_key_file
from lacolle.secretfiles import write_secret
from schemas.bilingual import Bilingual
from schemas.ids import KeyId
from schemas.signing.algorithms import Algorithm
from schemas.signing.keys import KeyMaterialError, SigningKey

if TYPE_CHECKING:
    from gateway.sealing.kek import KeyEncryptionKey


def add_to(app: typer.Typer) -> None:
    """Add this module's commands to an application."""
    app.command()(framed(keygen))
    group = typer.Typer(help="The keys to an exchange's stored content.", no_args_is_help=True)
    for command in (kek, rewrap):
        group.command(command.__name__)(framed(command))
    app.add_typer(group, name="keys")


def keygen(
    *,
    voice: Voice,
    file: Annotated[Path, typer.Argument(help="Where to write the private key; the file must not exist.")],
    kid: Annotated[str, typer.Option("--kid", help="The key's name, unique in the exchange: ca-qc.sq.2027.")],
    alg: Annotated[Algorithm, typer.Option("--alg", help="The signature algorithm.")] = "Ed25519",
) -> None:
    """Make a private key for signing, readable by you alone, and show its public part."""
    try:
        key = SigningKey.generate(KeyId(kid), alg)
    except KeyMaterialError as error:
        raise ConfigurationError(error.reason) from None
    write_key_file(file, key)
    voice.answer(
        {"file": str(file), "public": dict(key.public.jwk)},
        [
            Bilingual(fr=f"Clé privée écrite dans {file} : gardez-la pour vous.", en=f"Private key written to {file}."),
            Bilingual(
                fr="Voici sa partie publique, à faire attester par votre autorité :",
                en="This is its public part, for your authority to attest:",
            ),
            voice.json_text(dict(key.public.jwk)),
        ],
    )


def kek(
    *, voice: Voice, file: Annotated[Path, typer.Argument(help="Where to write it; the file must not exist.")]
) -> None:
    """Make a key-encryption key for an exchange's content, in a file that you alone may read."""
    from gateway.sealing.kek import KEY_SIZE, key_text  # noqa: PLC0415 - the other commands start without a gateway

    write_secret(file, key_text(os.urandom(KEY_SIZE)))
    voice.answer(
        {"file": str(file)},
        [
            Bilingual(
                fr=f"Clé écrite dans {file}. Gardez-en une copie en lieu sûr, loin des sauvegardes de la base.",
                en=f"Key written to {file}. Keep a copy in a safe place, away from the backups of the database.",
            )
        ],
    )


def rewrap(
    *,
    voice: Voice,
    exchange: Annotated[
        Path,
        typer.Option("--exchange", envvar="LACOLLE_EXCHANGE", help="The exchange's folder, with the new settings."),
    ],
    old_kek_file: Annotated[
        Path | None, typer.Option("--old-kek-file", help="The file of the key-encryption key that is replaced.")
    ] = None,
    old_settings: Annotated[
        Path | None,
        typer.Option("--old-settings", help="The settings file as it was, where the replaced key is in no file."),
    ] = None,
) -> None:
    """Wrap the content keys with the key-encryption key that the settings name now. Stop the exchange first."""
    from gateway.sealing.errors import SealingError  # noqa: PLC0415 - as above
    from gateway.sealing.folder import KeyFolder  # noqa: PLC0415 - as above
    from gateway.sealing.source import key_in_file, open_kek  # noqa: PLC0415 - as above
    from gateway.settings.exchange import read_settings  # noqa: PLC0415 - as above
    from lacolle.folder import SETTINGS  # noqa: PLC0415 - as above

    if (old_kek_file is None) == (old_settings is None):
        raise InputError(_WHICH)
    settings = read_settings(exchange / SETTINGS, os.environ)
    try:
        new = open_kek(settings, exchange, environment=os.environ)
        if old_kek_file is not None:
            old: KeyEncryptionKey = key_in_file(old_kek_file)
        else:
            old = open_kek(read_settings(old_settings or Path(), {}), exchange, environment=os.environ)
        folder = KeyFolder(exchange / settings.files.content_keys, old, randomness=os.urandom)
        done = folder.rewrap(new)
    except SealingError as error:
        raise ConfigurationError(error.reason) from error
    voice.answer(
        {"rewrapped": done.rewrapped, "before": done.before, "damaged": list(done.damaged)},
        [
            Bilingual(
                fr=f"Clés du contenu protégées à neuf : {done.rewrapped}; elles l'étaient déjà : {done.before}.",
                en=f"Content keys rewrapped: {done.rewrapped}; they were already: {done.before}.",
            ),
            *(Bilingual(fr=f"{name} : endommagée, laissée", en=f"{name}: damaged, left") for name in done.damaged),
        ],
    )


_WHICH: Final = Bilingual(
    fr="Indiquez la clé remplacée : --old-kek-file, ou --old-settings si elle n'est dans aucun fichier.",
    en="Name the key that is replaced: --old-kek-file, or --old-settings where it is in no file.",
)
