"""What commands read and write: alerts from files or standard input, results to files."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import typer

from lacolle.client.submissions import document_in
from lacolle.commands.voice import standard_input
from lacolle.errors import LacolleError
from schemas.bilingual import Bilingual
from schemas.formats.cap import read_cap
from schemas.ids import ParticipantId
from schemas.signing.strict_json import JsonValue, parse_json

_STANDARD_INPUT: Final = Path("-")
_COMPACT: Final = re.compile(rb"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
_SUBMISSION: Final = re.compile(_COMPACT.pattern + rb"(?:~(?:[\w-]+~)*)?", re.ASCII)
_ALERTS: Final = frozenset({".json", ".jws", ".sd-jwt"})


class InputError(LacolleError):
    """A file can't be read or written, or does not hold what it should."""


def read_alert(file: Path | None, *, cap: Path | None, participant: str) -> dict[str, JsonValue] | bytes:
    """Return the alert in a native file or on standard input (``-``), or in a CAP file that ``participant`` sends.

    One that was signed before, a compact JWS or an SD-JWT, is returned as it is. Raises ``InputError``, also for an
    alert whose sender is not ``participant``, ``MalformedJwsError``, ``JsonError`` and ``CapError``, and
    ``typer.BadParameter`` unless exactly one file was named.
    """
    if cap is not None and file is None:
        return read_cap(read_input(cap), sender=ParticipantId(participant))
    if file is None or cap is not None:
        raise typer.BadParameter("name one alert: FILE, - or --cap FILE.xml / nommez une alerte")
    content = read_input(file).strip()
    if not content.startswith(b"{"):
        _require_sender(document_in(_require(_SUBMISSION, content)), participant)
        return content
    document = parse_json(content)
    if not isinstance(document, dict):
        raise InputError(_NO_ALERT)
    _require_sender(document, participant)
    return document


def _require_sender(document: Mapping[str, JsonValue], participant: str) -> None:
    """Refuse what somebody else than ``participant`` says; one without a sender is refused where alerts are checked."""
    sender = document.get("sender")
    if isinstance(sender, str) and sender != participant:
        raise InputError(
            Bilingual(
                fr=f"L'alerte a pour expéditeur {sender}, et vous parlez au nom de {participant} : corrigez l'un ou "
                "l'autre (--participant ou LACOLLE_PARTICIPANT). Rien n'a été envoyé.",
                en=f"The alert's sender is {sender}, and you speak as {participant}: correct one or the other "
                "(--participant or LACOLLE_PARTICIPANT). Nothing was sent.",
            )
        )


def require_signed(content: bytes) -> bytes:
    """Return what has the form of a compact JWS. Raises ``InputError``: nothing else leaves this machine."""
    return _require(_COMPACT, content)


def _require(form: re.Pattern[bytes], content: bytes) -> bytes:
    if not form.fullmatch(content):
        raise InputError(_NOT_SIGNED)
    return content


def alert_files(named: Sequence[Path]) -> list[Path]:
    """Return the files that were named, and in a folder's place its alerts (``.json``, ``.jws``, ``.sd-jwt``) by name.

    Raises ``InputError`` for a folder without any.
    """
    files: list[Path] = []
    for each in named:
        inside = sorted(file for file in each.iterdir() if file.suffix in _ALERTS) if each.is_dir() else [each]
        if not inside:
            raise InputError(
                Bilingual(
                    fr=f"{each} ne contient aucune alerte (.json, .jws ou .sd-jwt).",
                    en=f"{each} holds no alert (.json, .jws or .sd-jwt).",
                )
            )
        files.extend(inside)
    return files


def read_input(file: Path) -> bytes:
    """Return what a file holds, or standard input where it is ``-``. Raises ``InputError``."""
    try:
        return standard_input() if file == _STANDARD_INPUT else file.read_bytes()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise InputError(
            Bilingual(
                fr=f"{file} ne peut être lu ({reason}) : vérifiez le chemin et ses droits.",
                en=f"{file} can't be read ({reason}): check the path and its permissions.",
            )
        ) from None


def write_output(file: Path, content: bytes) -> None:
    """Write a result to a file, over what it held. Raises ``InputError``."""
    write_bytes(file, content + b"\n")


def write_bytes(file: Path, content: bytes) -> None:
    """Write bytes to a file as they are, over what it held. Raises ``InputError``."""
    try:
        file.write_bytes(content)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise InputError(
            Bilingual(
                fr=f"{file} ne peut être écrit ({reason}) : choisissez un dossier où vous pouvez écrire.",
                en=f"{file} can't be written ({reason}): choose a folder you may write to.",
            )
        ) from None


_NOT_SIGNED: Final = Bilingual(
    fr="Le fichier ne contient rien de signé (un JWS compact : trois parties en base64url séparées par des points) : "
    "rien n'a été envoyé.",
    en="The file holds nothing signed (a compact JWS: three parts in base64url with dots between them): nothing was "
    "sent.",
)
_NO_ALERT: Final = Bilingual(
    fr="Le fichier ne contient pas d'alerte : il y faut un objet JSON.",
    en="The file holds no alert: it must be a JSON object.",
)
