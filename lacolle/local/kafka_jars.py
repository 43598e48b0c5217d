"""Apache Kafka's jars, fetched by Maven once and kept in the user's cache.

They are those of ``deploy/kafka/pom.xml``, and lie in ``$XDG_CACHE_HOME/lacolle/kafka/<version>`` (``~/.cache`` where
the variable is not set, XDG Base Directory Specification). Processes that need them at the same time wait for one
another; what was fetched by half is never used.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

from lacolle.local.errors import LocalServerUnavailableError
from schemas.bilingual import Bilingual

POM: Final = Path(__file__).resolve().parents[2] / "deploy" / "kafka" / "pom.xml"
OLDEST_JAVA: Final = 17
FETCHED_WITHIN: Final = 600.0
"""Seconds that Maven may take."""

_COMPLETE: Final = "complete"
"""A file in the folder of jars that holds the digest of the pom they are of; it is written last."""


@dataclass(frozen=True, slots=True)
class KafkaJars:
    """Where Kafka is and which one: ``java`` runs the classes on ``class_path``."""

    java: str
    folder: Path
    version: str

    @property
    def class_path(self) -> str:
        """Return what ``java -cp`` takes."""
        return f"{self.folder}/*"


def kafka_jars(environment: Mapping[str, str] = os.environ) -> KafkaJars:
    """Return Kafka's jars, fetching them where they are not in the cache yet.

    Raises ``LocalServerUnavailableError`` where there is no Java, no Maven or no way to the artifacts.
    """
    java = _java()
    pom = POM.read_bytes()
    version = _version(pom)
    cache = _cache(environment)
    jars = KafkaJars(java=java, folder=cache / version, version=version)
    digest = hashlib.sha256(pom).hexdigest()
    if not _is_complete(jars.folder, digest):
        cache.mkdir(parents=True, exist_ok=True)
        with _alone(cache / f"{version}.lock"):
            if not _is_complete(jars.folder, digest):
                _fetch(jars.folder, digest)
    return jars


def _cache(environment: Mapping[str, str]) -> Path:
    told = environment.get("XDG_CACHE_HOME", "")
    base = Path(told) if told else Path.home() / ".cache"
    return base / "lacolle" / "kafka"


def _version(pom: bytes) -> str:
    found = ET.fromstring(pom).findtext(".//{*}kafka.version")  # noqa: S314 - a file of our own tree
    if found is None:
        raise ValueError(f"{POM} does not say which Kafka")
    return found


def _is_complete(folder: Path, digest: str) -> bool:
    try:
        return (folder / _COMPLETE).read_text() == digest
    except FileNotFoundError:
        return False


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _fetch(folder: Path, digest: str) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise LocalServerUnavailableError(_NO_MAVEN)
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    command = [maven, "-q", "-B", "-f", str(POM), "dependency:copy-dependencies"]
    command += ["-DincludeScope=runtime", f"-DoutputDirectory={partial}"]
    try:
        done = subprocess.run(  # noqa: S603 - the command is ours, the program was found on the path
            command, capture_output=True, timeout=FETCHED_WITHIN, check=False, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired as error:
        raise LocalServerUnavailableError(_NO_ARTIFACTS) from error
    if done.returncode != 0 or not any(partial.glob("kafka_*.jar")):
        raise LocalServerUnavailableError(_NO_ARTIFACTS)
    (partial / _COMPLETE).write_text(digest)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)


def _java() -> str:
    java = shutil.which("java")
    if java is None:
        raise LocalServerUnavailableError(_NO_JAVA)
    told = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)  # noqa: S603 - found above
    found = re.search(r'version "(\d+)', told.stderr)
    if found is None or int(found[1]) < OLDEST_JAVA:
        raise LocalServerUnavailableError(_NO_JAVA)
    return java


_NO_JAVA: Final = Bilingual(
    fr=f"Apache Kafka demande Java {OLDEST_JAVA} ou plus récent : installez-le, ou indiquez un courtier existant.",
    en=f"Apache Kafka needs Java {OLDEST_JAVA} or newer: install it, or name an existing broker.",
)
_NO_MAVEN: Final = Bilingual(
    fr="Maven (mvn) manque pour obtenir Apache Kafka : installez-le, ou indiquez un courtier existant.",
    en="Maven (mvn) is needed to get Apache Kafka: install it, or name an existing broker.",
)
_NO_ARTIFACTS: Final = Bilingual(
    fr="Maven n'a pas pu obtenir les artéfacts d'Apache Kafka : vérifiez l'accès au dépôt Maven.",
    en="Maven could not get the artifacts of Apache Kafka: check the way to the Maven repository.",
)
