"""What every command shares: its language, its JSON, its connection to an exchange, its errors in words.

A command is a function that asks for what it needs by type: a parameter of type ``Voice`` becomes the options
``--lang`` and ``--json``, one of type ``Connection`` becomes those that say which exchange is spoken to, as whom. An
expected error is said on standard error, and ends the process with status 1; wrong usage is typer's, with status 2.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from lacolle.client import Client
from lacolle.client.submissions import SubmissionForm
from lacolle.commands.voice import EXPECTED, Voice, machine_language
from schemas.bilingual import Language


@dataclass(frozen=True, slots=True)
class Connection:
    """Which exchange is spoken to, as whom, and whom to believe."""

    url: str
    participant: str
    key: Path
    ca_file: Path | None
    certificate: Path | None
    certificate_key: Path | None
    issuer: str | None
    exchange_keys: Path | None
    voice: Voice

    def client(self, form: SubmissionForm | None = None) -> Client:
        """Return a client for this connection, which signs alerts in ``form``.

        Raises ``ConfigurationError`` and ``KeyFileError``.
        """
        return Client(
            self.url,
            participant=self.participant,
            key=self.key,
            ca_file=self.ca_file,
            certificate=self._own_certificate(),
            issuer=self.issuer,
            exchange_keys=self.exchange_keys,
            form=form,
            language=self.voice.language,
            on_wait=self.voice.mention,
        )

    def _own_certificate(self) -> tuple[Path, Path] | None:
        """Return the client's certificate; its key stands in the same file where none is named."""
        return None if self.certificate is None else (self.certificate, self.certificate_key or self.certificate)


KeyOption = Annotated[
    Path, typer.Option("--key", envvar="LACOLLE_KEY", help="The private key's file (JWK), as keygen makes it.")
]
ParticipantOption = Annotated[
    str, typer.Option("--participant", envvar="LACOLLE_PARTICIPANT", help="Who speaks, for instance ca-qc.sq.")
]

_Options = tuple[inspect.Parameter, ...]


def framed(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command as typer takes it, with the options that its ``Voice`` and ``Connection`` stand for."""
    own = inspect.signature(command, eval_str=True).parameters
    voice = next(name for name, parameter in own.items() if parameter.annotation is Voice)
    connection = next((name for name, parameter in own.items() if parameter.annotation is Connection), None)

    def run(**given: Any) -> None:  # noqa: ANN401 - whatever the command's own options are
        speaking = Voice(**{option.name: given.pop(option.name) for option in _VOICE})
        given[voice] = speaking
        if connection is not None:
            chosen = {option.name: given.pop(option.name) for option in _CONNECTION}
            given[connection] = Connection(**chosen, voice=speaking)
        try:
            command(**given)
        except EXPECTED as error:
            speaking.complain(error)
            raise typer.Exit(1) from None
        except ExceptionGroup as group:  # of tasks that ended together
            expected, others = group.split(EXPECTED)
            if expected is None or others is not None:
                raise
            speaking.complain(_first(expected))
            raise typer.Exit(1) from None

    kept = [parameter for name, parameter in own.items() if name not in (voice, connection)]
    _present(run, command, (*kept, *(_CONNECTION if connection is not None else ()), *_VOICE))
    return run


def _first(error: Exception) -> Exception:
    return _first(error.exceptions[0]) if isinstance(error, ExceptionGroup) else error


def _present(run: Callable[..., None], command: Callable[..., None], options: _Options) -> None:
    """Let typer see in ``run`` the name, the help and the options of the command behind it."""
    run.__name__, run.__doc__, run.__module__ = command.__name__, command.__doc__, command.__module__
    by_name = [option.replace(kind=inspect.Parameter.KEYWORD_ONLY) for option in options]
    run.__signature__ = inspect.Signature(by_name)  # type: ignore[attr-defined]  # what inspect looks for (PEP 362)
    run.__annotations__ = {option.name: option.annotation for option in by_name}


def _option(name: str, annotation: object, *, default: object = inspect.Parameter.empty) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)


_VOICE: Final[_Options] = (
    _option(
        "language",
        Annotated[
            Language,
            typer.Option(
                "--lang", default_factory=machine_language, show_default="from LANG", help="The language of messages."
            ),
        ],
    ),
    _option("as_json", Annotated[bool, typer.Option("--json", help="Answer with one JSON object.")], default=False),
)
_CONNECTION: Final[_Options] = (
    _option("url", Annotated[str, typer.Option("--url", envvar="LACOLLE_URL", help="The exchange's address.")]),
    _option("participant", ParticipantOption),
    _option("key", KeyOption),
    _option(
        "ca_file",
        Annotated[
            Path | None,
            typer.Option("--ca-file", envvar="LACOLLE_CA_FILE", help="Certificate authority of the exchange (PEM)."),
        ],
        default=None,
    ),
    _option(
        "certificate",
        Annotated[
            Path | None,
            typer.Option("--certificate", envvar="LACOLLE_CERTIFICATE", help="Your own TLS certificate chain (PEM)."),
        ],
        default=None,
    ),
    _option(
        "certificate_key",
        Annotated[
            Path | None,
            typer.Option(
                "--certificate-key", envvar="LACOLLE_CERTIFICATE_KEY", help="Its key (PEM), if in a file of its own."
            ),
        ],
        default=None,
    ),
    _option(
        "issuer",
        Annotated[
            str | None,
            typer.Option("--issuer", envvar="LACOLLE_ISSUER", help="The exchange's issuer, if it is not its address."),
        ],
        default=None,
    ),
    _option(
        "exchange_keys",
        Annotated[
            Path | None,
            typer.Option(
                "--exchange-keys",
                envvar="LACOLLE_EXCHANGE_KEYS",
                help="File of the keys that may sign receipts (JWK Set); written the first time.",
            ),
        ],
        default=None,
    ),
)
