"""Where a process listens: its sockets and its TLS, bound and read before anything else is opened."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

from gateway.settings.exchange import Listen
from lacolle.door.server import tls_context
from lacolle.errors import ConfigurationError
from lacolle.folder import SETTINGS, ExchangeFolder
from schemas.bilingual import Bilingual


@dataclass(frozen=True, slots=True)
class Address:
    """Where a process listens."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, bound: socket.socket, *, tls: bool) -> Address:
        """Return the address of a bound socket."""
        host, port = bound.getsockname()[:2]
        return cls("https" if tls else "http", host, port)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def bind(host: str, port: int, *, setting: str) -> socket.socket:
    """Return a socket bound to an address; ``setting`` names what said so. Raises ``ConfigurationError``."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError as error:
        raise ConfigurationError(
            Bilingual(
                fr=f"Impossible d'écouter sur {host}:{port} ({error.strerror}) : choisissez un autre port ({setting}), "
                "ou arrêtez ce qui l'occupe.",
                en=f"Can't listen on {host}:{port} ({error.strerror}): choose another port ({setting}), or stop what "
                "occupies it.",
            )
        ) from error
    return bound


def server_tls(folder: ExchangeFolder, *, insecure_http: bool) -> ssl.SSLContext | None:
    """Return the server's TLS context of an exchange's folder, as ``listen_tls`` does."""
    return listen_tls(folder.settings.listen, folder.path, insecure_http=insecure_http, file=SETTINGS)


def listen_tls(listen: Listen, path: Path, *, insecure_http: bool, file: str) -> ssl.SSLContext | None:
    """Return a server's TLS context; None for plain HTTP, which loopback alone may have, and only when asked.

    ``path`` is the folder that the certificate's paths are relative to, ``file`` the settings' name in it. Raises
    ``ConfigurationError``.
    """
    if listen.tls is not None:
        try:
            return tls_context(
                path / listen.tls.certificate,
                path / listen.tls.key,
                client_ca=None if listen.tls.client_ca is None else path / listen.tls.client_ca,
                required=listen.tls.client_certificates == "required",
            )
        except OSError as error:
            raise ConfigurationError(_no_certificate(file)) from error
    if not insecure_http:
        raise ConfigurationError(_no_tls(file))
    if not _is_loopback(listen.host):
        raise ConfigurationError(_not_loopback(file))
    return None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _no_tls(file: str) -> Bilingual:
    return Bilingual(
        fr=f"Aucun certificat TLS n'est configuré : indiquez listen.tls dans {file}, ou, pour un essai sur cette "
        "machine, lancez la commande avec --insecure-http.",
        en=f"No TLS certificate is configured: name one under listen.tls in {file}, or, to try things out on this "
        "machine, run the command with --insecure-http.",
    )


def _not_loopback(file: str) -> Bilingual:
    return Bilingual(
        fr=f"HTTP sans TLS n'est servi que sur une adresse de bouclage : mettez listen.host à 127.0.0.1 dans {file}, "
        "ou indiquez un certificat.",
        en=f"HTTP without TLS is served on a loopback address alone: set listen.host to 127.0.0.1 in {file}, or name "
        "a certificate.",
    )


def _no_certificate(file: str) -> Bilingual:
    return Bilingual(
        fr="Le certificat TLS, sa clé ou les autorités des clients ne peuvent être lus : vérifiez les fichiers nommés "
        f"sous listen.tls dans {file}.",
        en="The TLS certificate, its key or the clients' authorities can't be read: check the files named under "
        f"listen.tls in {file}.",
    )
