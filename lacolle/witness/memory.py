"""What a witness must never forget: of each log, the checkpoint that it cosigned last, in a file of its own.

A log is known by having a file here. So a witness that has lost its folder knows no log and cosigns nothing, rather
than begin anew and cosign another history.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from audit.checkpoints import CheckpointBody
from audit.durable import alone, replace_file
from audit.errors import AuditError, ForkedLogError
from audit.note import Verifier
from audit.witness import AddCheckpoint, WitnessedLog
from lacolle.errors import ConfigurationError
from schemas.bilingual import Bilingual

_SUFFIX: Final = ".log"
_EVIDENCE: Final = ".fork"


class WitnessMemory:
    """The files of one folder. Several processes may share it: whoever admits a checkpoint has its log's file alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def logs(self) -> dict[str, WitnessedLog]:
        """Return every log that is known, by its origin. Raises ``ConfigurationError`` for a file that is none."""
        known = (self._read(path) for path in sorted(self._folder.glob(f"*{_SUFFIX}")))
        return {log.verifier.name: log for log in known}

    def trust(self, verifier: Verifier) -> None:
        """Begin to witness a log. Raises ``ConfigurationError`` where one of this name is known, and ``OSError``."""
        path = self._path(verifier.name)
        with alone(path):
            if path.exists():
                raise ConfigurationError(_known(verifier.name))
            replace_file(path, WitnessedLog(verifier).text)

    def admit(self, request: AddCheckpoint) -> CheckpointBody:
        """Return a checkpoint that may be cosigned, once it is on the disk as the last one of its log.

        Nothing else is admitted in between, in whichever process. Raises as ``WitnessedLog.judge``, ``OSError``, and
        ``ConfigurationError`` where the file holds no memory of the log.
        """
        path = self._path(request.origin)
        with alone(path):
            log = self._read(path)
            try:
                checkpoint, following = log.judge(request)
            except ForkedLogError:
                self._keep_evidence(path, request)
                raise
            if (following.size, following.root) != (log.size, log.root):
                replace_file(path, following.text)
        return checkpoint

    def _keep_evidence(self, path: Path, request: AddCheckpoint) -> None:
        """Keep the first checkpoint that contradicts the one that was cosigned: the log has signed both."""
        evidence = path.with_suffix(_EVIDENCE)
        if not evidence.exists():
            replace_file(evidence, request.note)

    def _read(self, path: Path) -> WitnessedLog:
        try:
            log = WitnessedLog.parse(path.read_bytes())
        except (OSError, AuditError) as error:
            raise ConfigurationError(_unreadable(path)) from error
        if self._path(log.verifier.name) != path:
            raise ConfigurationError(_unreadable(path))
        return log

    def _path(self, origin: str) -> Path:
        return self._folder / f"{hashlib.sha256(origin.encode()).hexdigest()}{_SUFFIX}"


def _known(origin: str) -> Bilingual:
    return Bilingual(
        fr=f"Ce témoin connaît déjà un journal nommé {origin}.", en=f"This witness knows a log named {origin} already."
    )


def _unreadable(path: Path) -> Bilingual:
    return Bilingual(
        fr=f"{path} ne peut être lu, ou n'est pas la mémoire d'un témoin : rétablissez le fichier tel qu'il était. "
        "S'il est perdu, remplacez ce témoin par un autre, avec une nouvelle clé.",
        en=f"{path} can't be read, or is not a witness's memory: put the file back as it was. If it is lost, replace "
        "this witness by another one, with a new key.",
    )
