"""Every CAP file of a folder, made ready to be sent today.

Old alerts have expired, so each thread is shifted in time by one constant: its last alert is sent now, and all that its
alerts say of time keeps its distance, their references included.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from schemas.formats.cap import CapError, read_cap

from lacolle.client.documents import cap_time
from lacolle.demo.scenario import Document
from schemas.alerts.header import instant
from schemas.ids import ParticipantId

_TIMES: Final = ("effective", "onset", "expires")


@dataclass(frozen=True, slots=True)
class CapFile:
    """A CAP file as an alert of the exchange, or why it is not one."""

    path: Path
    alert: Document | None
    fault: str | None


def read_folder_of_cap(folder: Path, *, sender: ParticipantId) -> list[CapFile]:
    """Return every CAP file below a folder (``.xml``, ``.cap``), in the order of their names."""
    files = []
    for path in sorted(
        each for each in folder.rglob("*") if each.suffix.lower() in (".xml", ".cap") and each.is_file()
    ):
        try:
            files.append(CapFile(path, read_cap(path.read_bytes(), sender=sender), None))
        except CapError as error:
            first = error.faults[0]
            files.append(CapFile(path, None, f"{first.pointer}: {first.message.en}"))
    return files


def shifted(files: Iterable[CapFile], *, now: datetime) -> list[CapFile]:
    """Return the readable files with their threads shifted to end now, in the order in which they are to be sent."""
    readable = [each for each in files if each.alert is not None]
    ready = []
    for thread in _threads(readable):
        last = max(instant(str(each.alert["sent"])) for each in thread if each.alert is not None)
        by = timedelta(seconds=int((now - last).total_seconds()))
        ready += [CapFile(each.path, _shift(each.alert, by), None) for each in thread if each.alert is not None]
    return sorted(ready, key=lambda each: instant(str(each.alert["sent"])) if each.alert is not None else now)


def _threads(files: Sequence[CapFile]) -> list[list[CapFile]]:
    """Return the files grouped by reference: two alerts are of one thread when one references the other."""
    leader: dict[str, str] = {}

    def find(name: str) -> str:
        while leader.setdefault(name, name) != name:
            name = leader[name]
        return name

    for each in files:
        alert: Document = each.alert or {}
        for reference in _references(alert):
            leader[find(reference.split(",")[1])] = find(str(alert["identifier"]))
    threads: dict[str, list[CapFile]] = {}
    for each in files:
        threads.setdefault(find(str((each.alert or {})["identifier"])), []).append(each)
    return list(threads.values())


def _references(alert: Document) -> list[str]:
    references = alert.get("references")
    return [str(each) for each in references] if isinstance(references, list) else []


def _shift(alert: Document, by: timedelta) -> Document:
    shifted_alert: dict[str, Any] = {**alert, "sent": _later(str(alert["sent"]), by)}
    if "expires" in alert:
        shifted_alert["expires"] = _later(str(alert["expires"]), by)
    shifted_alert["references"] = [_shift_reference(each, by) for each in _references(alert)]
    infos = alert.get("info")
    shifted_alert["info"] = [
        {name: _later(value, by) if name in _TIMES else value for name, value in info.items()}
        for info in (infos if isinstance(infos, list) else [])
        if isinstance(info, dict)
    ]
    return shifted_alert


def _shift_reference(reference: str, by: timedelta) -> str:
    sender, identifier, sent = reference.split(",")
    return f"{sender},{identifier},{_later(sent, by)}"


def _later(text: Any, by: timedelta) -> str:  # noqa: ANN401 - a member that the format says is a time
    return cap_time(instant(str(text)) + by)
