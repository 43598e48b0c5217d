"""Every CAP file of a folder, made ready to be sent today.

Old alerts have expired, so each is moved in time by a constant of its own: it is sent now, what it says of time keeps
its distance from that, and a reference follows the alert that it names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from lacolle.client.documents import cap_time
from lacolle.demo.scenario import Document
from lacolle.errors import ConfigurationError
from schemas.alerts.header import instant
from schemas.bilingual import Bilingual
from schemas.formats.cap import CapError, read_cap
from schemas.ids import ParticipantId
from schemas.signing.strict_json import JsonValue

_REFERENCE: Final = re.compile(r"[^\s,]+,[^\s,]+,[^\s,]+")
_TIMES: Final = ("effective", "onset", "expires")


@dataclass(frozen=True, slots=True)
class CapFile:
    """A CAP file as an alert of the exchange, or why it is not one."""

    path: Path
    alert: Document | None
    fault: str | None


def read_folder_of_cap(folder: Path, *, sender: ParticipantId) -> list[CapFile]:
    """Return every CAP file below a folder (``.xml``, ``.cap``), in the order of their names.

    Raises ``ConfigurationError`` where none of them is an alert.
    """
    files: list[CapFile] = []
    for path in sorted(
        each for each in folder.rglob("*") if each.suffix.lower() in (".xml", ".cap") and each.is_file()
    ):
        try:
            files.append(CapFile(path, read_cap(path.read_bytes(), sender=sender), None))
        except CapError as error:
            first = error.faults[0]
            files.append(CapFile(path, None, f"{first.pointer}: {first.message.en}"))
    if all(each.alert is None for each in files):
        raise ConfigurationError(_no_alert(folder, files))
    return files


def _no_alert(folder: Path, files: Sequence[CapFile]) -> Bilingual:
    if not files:
        return Bilingual(
            fr=f"{folder} ne contient aucun fichier CAP 1.2 (.xml ou .cap) : rien ne serait envoyé.",
            en=f"{folder} holds no CAP 1.2 file (.xml or .cap): nothing would be sent.",
        )
    first = f"{files[0].path.name}: {files[0].fault}"
    return Bilingual(
        fr=f"Aucun des fichiers de {folder} ({len(files)}) n'est une alerte CAP 1.2 que la plateforme prendrait, "
        f"à commencer par {first}",
        en=f"None of the {len(files)} files of {folder} is a CAP 1.2 alert that the exchange would take, "
        f"beginning with {first}",
    )


def in_order(files: Iterable[CapFile]) -> list[CapFile]:
    """Return the readable files in the order in which their alerts were sent."""
    readable = [each for each in files if each.alert is not None]
    return sorted(readable, key=lambda each: instant(str((each.alert or {})["sent"])))


class Mover:
    """Moves alerts to the present, in the order in which they are sent, and remembers where each went."""

    def __init__(self) -> None:
        self._moved: dict[str, timedelta] = {}

    def move(self, alert: Document, *, now: datetime) -> Document:
        """Return an alert as if it were sent now."""
        by = timedelta(seconds=int((now - instant(str(alert["sent"]))).total_seconds()))
        self._moved[str(alert["identifier"])] = by
        moved: Document = {**alert, "sent": _later(alert["sent"], by)}
        if "expires" in alert:
            moved["expires"] = _later(alert["expires"], by)
        references, infos, body = alert.get("references"), alert.get("info"), alert.get("body")
        if isinstance(references, list):
            moved["references"] = [self._reference(str(each), by) for each in references]
        if isinstance(infos, list):
            moved["info"] = [_moved_info(info, by) for info in infos if isinstance(info, dict)]
        if isinstance(body, dict) and isinstance(body.get("references"), str):
            written = _REFERENCE.sub(lambda found: self._reference(found.group(), by), str(body["references"]))
            moved["body"] = {**body, "references": written}
        return moved

    def _reference(self, reference: str, by: timedelta) -> str:
        sender, identifier, sent = reference.split(",")
        return f"{sender},{identifier},{_later(sent, self._moved.get(identifier, by))}"


def _moved_info(info: Mapping[str, JsonValue], by: timedelta) -> dict[str, JsonValue]:
    return {name: _later(value, by) if name in _TIMES else value for name, value in info.items()}


def _later(text: JsonValue, by: timedelta) -> str:
    return cap_time(instant(str(text)) + by)
