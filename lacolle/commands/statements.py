"""``lacolle statement sign``, ``submit``: how an authority says who its agencies are, and which keys are revoked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import orjson
import typer
from pydantic import ValidationError

from lacolle.client.calls import Call, Caller
from lacolle.client.surroundings import MACHINE
from lacolle.commands.frame import KeyOption, framed
from lacolle.commands.inputs import InputError, read_input, require_signed, write_output
from lacolle.commands.voice import Voice
from lacolle.keyfiles import load_key_file
from schemas.bilingual import Bilingual
from schemas.located_yaml import errors_of, load_yaml
from schemas.signing.canonical import canonical_bytes
from schemas.signing.jws import STATEMENT, sign_compact
from schemas.statements import KeyRevocation, ParticipantStatement

_TIMEOUT: Final = 10.0
_PATIENCE: Final = 30.0


def add_to(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = typer.Typer(help="Authority statements: who takes part, and whose key is revoked.", no_args_is_help=True)
    for command in (sign, submit):
        group.command()(framed(command))
    app.add_typer(group, name="statement")


def sign(
    *,
    voice: Voice,
    file: Annotated[Path, typer.Argument(help="The statement (YAML or JSON); - is standard input.")],
    key: KeyOption,
    out: Annotated[Path | None, typer.Option("--out", help="Where to write it, instead of standard output.")] = None,
) -> None:
    """Check a statement and sign it with the authority's key; put it into an exchange's folder, or submit it."""
    document = load_yaml(read_input(file).decode("utf-8", "replace"), file=str(file))
    kind = document.value.get("statement") if isinstance(document.value, dict) else None
    model = KeyRevocation if kind == "key-revocation" else ParticipantStatement
    try:
        statement = model.model_validate(document.value)
    except ValidationError as error:
        lines = errors_of(document, error)
        raise InputError(
            Bilingual(
                fr="\n".join(each.in_language("fr") for each in lines),
                en="\n".join(each.in_language("en") for each in lines),
            )
        ) from None
    payload = canonical_bytes(statement.model_dump(mode="json"))
    compact = sign_compact(payload, key=load_key_file(key), profile=STATEMENT, iat=int(MACHINE.now().timestamp()))
    if out is not None:
        write_output(out, compact)
    voice.answer({"statement": compact.decode("ascii")}, [] if out is not None else [compact.decode("ascii")])


def submit(
    *,
    voice: Voice,
    file: Annotated[Path, typer.Argument(help="A signed statement; - is standard input.")],
    url: Annotated[str, typer.Option("--url", envvar="LACOLLE_URL", help="The exchange's address.")],
    ca_file: Annotated[
        Path | None,
        typer.Option("--ca-file", envvar="LACOLLE_CA_FILE", help="Certificate authority of the exchange (PEM)."),
    ] = None,
) -> None:
    """Hand a signed statement to a running exchange, where it counts at once. The signature is the credential."""
    compact = require_signed(read_input(file).strip())
    caller = Caller(
        url,
        ca_file=ca_file,
        language=voice.language,
        timeout=_TIMEOUT,
        patience=_PATIENCE,
        surroundings=MACHINE,
        on_wait=voice.mention,
    )
    call = Call("POST", "/v1/statements", content=compact, headers={"Content-Type": "application/jose"})
    told = orjson.loads(caller.answer(lambda: call).content)
    caller.close()
    voice.answer(
        told,
        [
            Bilingual(
                fr=f"L'attestation vaut pour {told['participant']} : inscription n° {told['log_index']}.",
                en=f"The statement counts for {told['participant']}: log entry {told['log_index']}.",
            )
        ],
    )
