"""Small Apache Kafka clusters on this machine: KRaft, one or three nodes, each broker and controller.

Every node listens on loopback alone, in plain text for clients (``CLIENT``) and for the other nodes (``INTERNAL``,
``CONTROLLER``). Where certificates are given there are two more listeners, ``SCRAM`` (SASL_SSL, SCRAM-SHA-512) and
``MTLS`` (SSL, client certificates required, the principal is the certificate's common name), and whoever comes in
plain text is the administrator: access control is for the other two. A ``PROXIED`` listener tells its clients to come
back through another port, on which a test puts a proxy.

The folder keeps the data, so a cluster that was stopped, or killed, starts again as it was. Nodes end with the process
that started them, however that ends.
"""

from __future__ import annotations

import base64
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Final, Literal
from uuid import uuid4

from lacolle.local.errors import LocalServerFailedError
from lacolle.local.kafka_jars import POM, KafkaJars
from lacolle.local.leash import Leash, leashed
from lacolle.local.ports import free_ports
from schemas.bilingual import Bilingual

Listener = Literal["CLIENT", "INTERNAL", "CONTROLLER", "SCRAM", "MTLS", "PROXIED"]

TEMPLATE: Final = POM.with_name("server.properties")
STARTS_WITHIN: Final = 90.0
STOPS_WITHIN: Final = 30.0

_PROTOCOLS: Final[Mapping[Listener, str]] = {
    "CLIENT": "PLAINTEXT",
    "INTERNAL": "PLAINTEXT",
    "CONTROLLER": "PLAINTEXT",
    "SCRAM": "SASL_SSL",
    "MTLS": "SSL",
    "PROXIED": "PLAINTEXT",
}
_JVM: Final = (
    "-Xms64m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",  # quick to start, which is what a broker of a test does most
    "-Xlog:cds=off,cds+dynamic=off",  # an archive that does not fit is no matter
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
)


@dataclass(frozen=True, slots=True)
class Tls:
    """What the brokers' TLS is made of, PEM: ``keystore`` is key (PKCS #8) and chain in one file."""

    keystore: Path
    ca_file: Path


@dataclass(frozen=True, slots=True)
class ClusterOptions:
    """What a cluster is to be like.

    ``scram_users`` are names and passwords that exist from the first start; they need ``tls`` to be used.
    ``administrators`` may do everything, whatever the access control lists say. ``proxied_through`` is the port that
    clients of the first node's ``PROXIED`` listener are told.
    """

    nodes: Literal[1, 3] = 1
    heap: str = "256m"
    tls: Tls | None = None
    scram_users: Mapping[str, str] = field(default_factory=dict)
    administrators: Sequence[str] = ()
    proxied_through: int | None = None


class KafkaCluster:
    """A cluster in a folder. Not safe for use by several threads at once."""

    def __init__(self, folder: Path, jars: KafkaJars, options: ClusterOptions | None = None) -> None:
        self._options = options or ClusterOptions()
        self._jars = jars
        self._id = _kafka_uuid()
        ports = iter(free_ports(self._options.nodes * len(_PROTOCOLS)))
        self._nodes = {
            number: _Node(
                number=number,
                folder=folder / f"node-{number}",
                directory_id=_kafka_uuid(),
                ports={listener: next(ports) for listener in self._listeners(number)},
            )
            for number in range(1, self._options.nodes + 1)
        }

    @property
    def version(self) -> str:
        """Return the version of Apache Kafka."""
        return self._jars.version

    @property
    def bootstrap(self) -> tuple[str, ...]:
        """Return the addresses of all nodes for clients in plain text."""
        return self.addresses("CLIENT")

    def addresses(self, listener: Listener) -> tuple[str, ...]:
        """Return the addresses of one listener, ``host:port``, on every node that has it."""
        return tuple(f"127.0.0.1:{node.ports[listener]}" for node in self._nodes.values() if listener in node.ports)

    def start(self) -> None:
        """Start every node that is not running and return once all take requests.

        Raises ``LocalServerFailedError``.
        """
        for node in self._nodes.values():
            if not node.formatted:
                self._format(node)
        for number in self._nodes:
            self._launch(number)
        self.wait()

    def start_node(self, number: int) -> None:
        """Start one node and return once it takes requests. Raises ``LocalServerFailedError``."""
        self._launch(number)
        self._nodes[number].wait(until=time.monotonic() + STARTS_WITHIN)

    def wait(self) -> None:
        """Return once every node takes requests. Raises ``LocalServerFailedError``."""
        until = time.monotonic() + STARTS_WITHIN
        for node in self._nodes.values():
            node.wait(until=until)

    def stop_node(self, number: int) -> None:
        """Let one node shut down in order (SIGTERM)."""
        self._end(self._nodes[number], kill=False)

    def kill_node(self, number: int) -> None:
        """End one node at once (SIGKILL)."""
        self._end(self._nodes[number], kill=True)

    def stop(self) -> None:
        """Let every node shut down; idempotent. One of several may wait for the others in vain, and is killed."""
        for node in self._nodes.values():
            node.ask_to_end()
        for node in self._nodes.values():
            self._end(node, kill=False)

    def kill(self) -> None:
        """End every node at once; idempotent."""
        for node in self._nodes.values():
            self._end(node, kill=True)

    def _listeners(self, number: int) -> Iterable[Listener]:
        yield from ("CLIENT", "INTERNAL", "CONTROLLER")
        if self._options.tls is not None:
            yield from ("SCRAM", "MTLS")
        if self._options.proxied_through is not None and number == 1:
            yield "PROXIED"

    def _launch(self, number: int) -> None:
        node = self._nodes[number]
        if not node.running:
            archiving = [] if self._jars.archive.exists() else [f"-XX:ArchiveClassesAtExit={node.archive}"]
            node.launch([*self._command(*archiving), "kafka.Kafka", str(node.settings)])

    def _command(self, *archiving: str) -> list[str]:
        heap = f"-Xmx{self._options.heap}"
        archived = [f"-XX:SharedArchiveFile={self._jars.archive}"] if self._jars.archive.exists() else []
        return [self._jars.java, heap, *_JVM, *archived, *archiving, "-cp", self._jars.class_path]

    def _end(self, node: _Node, *, kill: bool) -> None:
        """End a node; where it was the first of its kind here, keep what Java has made of Kafka's classes."""
        if node.end(kill=kill) and node.archive.exists():
            made = self._jars.archive.with_suffix(f".{os.getpid()}")
            shutil.copy(node.archive, made)
            made.rename(self._jars.archive)
            node.archive.unlink()

    def _format(self, node: _Node) -> None:
        """Write a node's settings and prepare its folder (KIP-853: the first controllers are named)."""
        node.folder.mkdir(parents=True)
        node.settings.write_text(self._settings(node))
        node.settings.chmod(0o600)
        controllers = ",".join(
            f"{each.number}@127.0.0.1:{each.ports['CONTROLLER']}:{each.directory_id}" for each in self._nodes.values()
        )
        command = [*self._command(), "kafka.tools.StorageTool", "format", "-t", self._id, "-c", str(node.settings)]
        command += ["--initial-controllers", controllers]
        for name, password in self._options.scram_users.items():
            command += ["--add-scram", f"SCRAM-SHA-512=[name={name},password={password}]"]
        done = subprocess.run(command, capture_output=True, check=False, timeout=STARTS_WITHIN)  # noqa: S603 - ours
        if done.returncode != 0:
            node.log.write_bytes(done.stderr)
            raise LocalServerFailedError(_failed(node))
        node.formatted_mark.touch()

    def _settings(self, node: _Node) -> str:
        advertised = dict(node.ports)
        if "PROXIED" in advertised and self._options.proxied_through is not None:
            advertised["PROXIED"] = self._options.proxied_through
        del advertised["CONTROLLER"]
        several = self._options.nodes > 1
        text = Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
            node=node.number,
            controllers=",".join(self.addresses("CONTROLLER")),
            listeners=_addresses(node.ports),
            advertised=_addresses(advertised),
            protocols=",".join(f"{listener}:{_PROTOCOLS[listener]}" for listener in node.ports),
            data=node.folder / "data",
            replication=3 if several else 1,
            min_insync=2 if several else 1,
        )
        return text + ("" if self._options.tls is None else _security(self._options.tls, self._options.administrators))


@dataclass(slots=True)
class _Node:
    number: int
    folder: Path
    directory_id: str
    ports: Mapping[Listener, int]
    process: subprocess.Popen[bytes] | None = None
    leash: Leash | None = None

    @property
    def settings(self) -> Path:
        return self.folder / "server.properties"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    @property
    def archive(self) -> Path:
        return self.folder / "classes.jsa"

    @property
    def formatted_mark(self) -> Path:
        return self.folder / "formatted"

    @property
    def formatted(self) -> bool:
        return self.formatted_mark.exists()

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def launch(self, command: list[str]) -> None:
        self.let_go()
        with self.log.open("ab") as log:
            # in a session of its own, so that Ctrl-C reaches whoever stops it in order, and not it
            self.process, self.leash = leashed(
                lambda: subprocess.Popen(  # noqa: S603 - the command is ours
                    command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
                )
            )

    def wait(self, *, until: float) -> None:
        """Return once the node takes requests: a KRaft broker opens its port when it is registered and unfenced."""
        while True:
            if not self.running or time.monotonic() > until:
                raise LocalServerFailedError(_failed(self))
            with socket.socket() as probe:
                probe.settimeout(1.0)
                if probe.connect_ex(("127.0.0.1", self.ports["CLIENT"])) == 0:
                    return
            time.sleep(0.05)

    def ask_to_end(self) -> None:
        if self.process is not None and self.running:
            self.process.terminate()

    def end(self, *, kill: bool) -> bool:
        """Return whether there was a process that ended in order."""
        if self.process is None:
            return False
        if not kill:
            self.ask_to_end()
            try:
                self.process.wait(STOPS_WITHIN)
            except subprocess.TimeoutExpired:
                kill = True
        if kill:
            self.process.kill()
        self.process.wait()
        self.process = None
        self.let_go()
        return not kill

    def let_go(self) -> None:
        """Watch no longer over a process that has ended."""
        if self.leash is not None:
            self.leash.release()
            self.leash = None


def _addresses(ports: Mapping[Listener, int]) -> str:
    return ",".join(f"{listener}://127.0.0.1:{port}" for listener, port in ports.items())


def _security(tls: Tls, administrators: Sequence[str]) -> str:
    users = ";".join(f"User:{name}" for name in ("ANONYMOUS", *administrators))
    return f"""
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.scram.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
ssl.keystore.type=PEM
ssl.keystore.location={tls.keystore}
ssl.truststore.type=PEM
ssl.truststore.location={tls.ca_file}
listener.name.mtls.ssl.client.auth=required
listener.name.scram.ssl.client.auth=none
ssl.principal.mapping.rules=RULE:^CN=([a-z0-9.-]+)(,.*)?$/$1/,DEFAULT
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users={users}
"""


def _kafka_uuid() -> str:
    """Return a new UUID as Kafka writes it: base64url without padding, and never like an option of a command."""
    while True:
        text = base64.urlsafe_b64encode(uuid4().bytes).decode().rstrip("=")
        if not text.startswith("-"):
            return text


def _failed(node: _Node) -> Bilingual:
    return Bilingual(
        fr=f"Le nœud {node.number} d'Apache Kafka n'a pas démarré : voir {node.log}.",
        en=f"Node {node.number} of Apache Kafka did not start: see {node.log}.",
    )
