"""How every client of ours reaches the brokers, and what its errors mean."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, assert_never

from aiokafka import errors
from aiokafka.conn import create_conn

from bus.contract import BusUnavailableError
from bus.kafka.errors import KafkaRefusedError, KafkaSettingsError
from bus.kafka.settings import KafkaSettings, MutualTls, Plaintext, Scram
from bus.secretfiles import SecretFileError, read_secret, require_private
from schemas.bilingual import Bilingual


class Connection:
    """Where the brokers are and who we are to them. Files are read once, relative to ``folder``."""

    def __init__(self, settings: KafkaSettings, folder: Path) -> None:
        self.settings: Final = settings
        self._security = _security(settings, folder)

    def arguments(self) -> dict[str, Any]:
        """Return the arguments that aiokafka's producer, consumer and administrator have in common."""
        return {
            "bootstrap_servers": list(self.settings.bootstrap),
            "client_id": self.settings.client_id,
            "request_timeout_ms": int(self.settings.request_timeout * 1000),
            "metadata_max_age_ms": 60_000,
            **self._security,
        }

    async def explain(self, error: BaseException) -> BusUnavailableError:
        """Return what an error of aiokafka's means to us.

        A client that found no broker doesn't say why, so one more connection is tried, whose error does.
        """
        if isinstance(error, errors.KafkaConnectionError):
            return await self._refusal() or BusUnavailableError("no broker can be reached")
        return meaning(error)

    async def reach(self) -> None:
        """Connect to the first broker that answers, and let go. Raises ``BusUnavailableError`` where none does."""
        for address in self.settings.bootstrap:
            host, _, port = address.rpartition(":")
            try:
                connection = await create_conn(
                    host.strip("[]"),
                    int(port),
                    client_id=self.settings.client_id,
                    request_timeout_ms=int(self.settings.request_timeout * 1000),
                    **self._security,
                )
            except (errors.KafkaError, OSError, TimeoutError):
                continue
            connection.close()
            return
        raise BusUnavailableError("no broker can be reached")

    async def _refusal(self) -> KafkaRefusedError | None:
        for address in self.settings.bootstrap:
            host, _, port = address.rpartition(":")
            try:
                connection = await create_conn(
                    host.strip("[]"),
                    int(port),
                    client_id=self.settings.client_id,
                    request_timeout_ms=int(self.settings.request_timeout * 1000),
                    **self._security,
                )
            except ssl.SSLCertVerificationError:
                return KafkaRefusedError(_BROKER_NOT_TRUSTED)
            except ssl.SSLError:
                return KafkaRefusedError(_CERTIFICATE_REFUSED)
            except errors.KafkaConnectionError:
                # In TLS 1.3 a server that refuses our certificate says so after the handshake, by hanging up.
                if isinstance(self.settings.security, MutualTls):
                    return KafkaRefusedError(_CERTIFICATE_REFUSED)
            except errors.KafkaError as error:
                meant = meaning(error)
                if isinstance(meant, KafkaRefusedError):
                    return meant
            except (OSError, TimeoutError):
                continue
            else:
                connection.close()
        return None


def meaning(error: BaseException) -> BusUnavailableError:
    """Return what an error of aiokafka's means to us; the name of its type is all that is told of an unknown one."""
    if isinstance(error, BusUnavailableError):
        return error
    for kinds, reason in _REFUSALS:
        if isinstance(error, kinds):
            return KafkaRefusedError(reason)
    if isinstance(error, TimeoutError):
        return BusUnavailableError("no answer in time")
    return BusUnavailableError(f"Kafka answers {type(error).__name__}")


def _security(settings: KafkaSettings, folder: Path) -> Mapping[str, Any]:
    match settings.security:
        case Plaintext():
            return {"security_protocol": "PLAINTEXT"}
        case Scram() as scram:
            return {
                "security_protocol": "SASL_SSL",
                "sasl_mechanism": "SCRAM-SHA-512",
                "sasl_plain_username": scram.username,
                "sasl_plain_password": _password(folder / scram.password_file),
                "ssl_context": _tls(folder, scram.ca_file),
            }
        case MutualTls() as mutual:
            context = _tls(folder, mutual.ca_file)
            try:
                require_private(folder / mutual.key)
                context.load_cert_chain(folder / mutual.certificate, folder / mutual.key)
            except SecretFileError as error:
                raise KafkaSettingsError(error.reason) from error
            except OSError as error:
                raise KafkaSettingsError(_no_file(folder / mutual.certificate)) from error
            return {"security_protocol": "SSL", "ssl_context": context}
        case _:
            assert_never(settings.security)


def _tls(folder: Path, ca_file: str | None) -> ssl.SSLContext:
    path = None if ca_file is None else folder / ca_file
    try:
        context = ssl.create_default_context(cafile=path)
    except OSError as error:
        raise KafkaSettingsError(_no_file(path)) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _password(path: Path) -> str:
    try:
        return read_secret(path)
    except SecretFileError as error:
        raise KafkaSettingsError(error.reason) from error


def _no_file(path: Path | None) -> Bilingual:
    return Bilingual(
        fr=f"{path} ne peut être lu comme il se doit : vérifiez les fichiers nommés sous security.",
        en=f"{path} can't be read as it should be: check the files named under security.",
    )


_WRONG_PASSWORD: Final = Bilingual(
    fr="Kafka refuse le nom d'utilisateur ou le mot de passe (SCRAM-SHA-512) : vérifiez username et password_file, "
    "ou créez l'utilisateur avec « lacolle ops kafka ».",
    en="Kafka refuses the user name or the password (SCRAM-SHA-512): check username and password_file, or create the "
    "user with “lacolle ops kafka”.",
)
_CERTIFICATE_REFUSED: Final = Bilingual(
    fr="Kafka refuse le certificat présenté : vérifiez certificate et key, et que son autorité est connue du courtier.",
    en="Kafka refuses the certificate: check certificate and key, and that the broker knows its authority.",
)
_BROKER_NOT_TRUSTED: Final = Bilingual(
    fr="Le certificat du courtier n'est pas digne de confiance : vérifiez ca_file et le nom d'hôte sous bootstrap.",
    en="The broker's certificate is not trusted: check ca_file, and the host name under bootstrap.",
)
_NOT_ALLOWED: Final = Bilingual(
    fr="Kafka n'accorde pas ce droit à cet utilisateur : « lacolle ops kafka » pose les droits de chacun.",
    en="Kafka does not allow this user to do that: “lacolle ops kafka” sets what everyone may do.",
)
_NO_SUCH_TOPIC: Final = Bilingual(
    fr="Ce sujet n'existe pas sur Kafka : « lacolle ops kafka » crée les sujets.",
    en="There is no such topic on Kafka: “lacolle ops kafka” creates the topics.",
)
_TOO_LARGE: Final = Bilingual(
    fr="L'enregistrement dépasse topics.max_record_bytes : augmentez-le, puis relancez « lacolle ops kafka ».",
    en="The record exceeds topics.max_record_bytes: raise it, then run “lacolle ops kafka” again.",
)

_REFUSALS: Final[tuple[tuple[tuple[type[BaseException], ...], Bilingual], ...]] = (
    (
        (
            errors.SaslAuthenticationFailed,
            errors.AuthenticationFailedError,
            errors.AuthenticationMethodNotSupported,
            errors.UnsupportedSaslMechanismError,
            errors.IllegalSaslStateError,
        ),
        _WRONG_PASSWORD,
    ),
    (
        (
            errors.TopicAuthorizationFailedError,
            errors.GroupAuthorizationFailedError,
            errors.ClusterAuthorizationFailedError,
        ),
        _NOT_ALLOWED,
    ),
    ((errors.UnknownTopicOrPartitionError,), _NO_SUCH_TOPIC),
    ((errors.MessageSizeTooLargeError, errors.RecordListTooLargeError), _TOO_LARGE),
)
"""Errors of aiokafka's that waiting does not mend, and what they mean."""
