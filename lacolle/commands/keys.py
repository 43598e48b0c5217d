"""``lacolle keygen``: make a participant's or an authority's key."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lacolle.commands.frame import framed
from lacolle.commands.voice import Voice
from lacolle.errors import ConfigurationError
from lacolle.keyfiles import write_key_file
from schemas.bilingual import Bilingual
from schemas.ids import KeyId
from schemas.signing.algorithms import Algorithm
from schemas.signing.keys import KeyMaterialError, SigningKey


def add_to(app: typer.Typer) -> None:
    """Add this module's commands to an application."""
    app.command()(framed(keygen))


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
