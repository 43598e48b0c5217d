"""Calls to an exchange over HTTPS, made again while that is safe and there is time.

Every call of the wire contract may be made twice: a submission is known by its sender and identifier, an
acknowledgement by its delivery. So a call is repeated when no answer came, and when the answer is 429 or 503, after
``Retry-After`` or else an exponential, jittered wait; never past the time allowed, and never where the answer is any
other. Redirects are not followed: a signed submission goes where its sender said. Before the first wait of each call
``on_wait`` is told, in words, why there is one and how long it may last: nobody has to guess at a silence.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

import httpx2

from lacolle.client.problems import problem_in
from lacolle.client.surroundings import Surroundings
from lacolle.client.waiting import retry_after
from lacolle.errors import ConfigurationError, ExchangeUnreachableError
from schemas.bilingual import Bilingual, Language

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_COME_AGAIN: Final = frozenset({429, 503})
_FIRST_WAIT: Final = 0.2
_LONGEST_WAIT: Final = 5.0


OnWait = Callable[[Bilingual], None]
"""Told, in words, that a call is going to be made again."""


def in_silence(_: Bilingual) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request: ``path`` is below the base URL. Headers are ASCII, or bytes."""

    method: str
    path: str
    content: bytes | None = None
    headers: Mapping[str, str | bytes] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def encoded(self) -> dict[bytes, bytes]:
        """The headers as they are sent."""
        return {
            name.encode("ascii"): value if isinstance(value, bytes) else value.encode("ascii")
            for name, value in self.headers.items()
        }


class Caller:
    """Makes calls to one exchange. Safe to use from several threads."""

    def __init__(
        self,
        base_url: str,
        *,
        ca_file: Path | None,
        certificate: tuple[Path, Path] | None = None,
        language: Language,
        timeout: float,
        patience: float,
        surroundings: Surroundings,
        on_wait: OnWait = in_silence,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._language: Language = language
        self._patience = patience
        self._surroundings = surroundings
        self._on_wait = on_wait
        self._http = httpx2.Client(
            base_url=self.base_url,
            verify=_trust(ca_file, certificate),
            timeout=timeout,
            headers={"Accept-Language": language, "User-Agent": "lacolle"},
            # a proxy of the environment has no business between two processes of one machine
            trust_env=not _is_loopback(_checked(base_url)),
        )

    def answer(self, call: Callable[[], Call], *, into: IO[bytes] | None = None) -> httpx2.Response:
        """Return the 2xx answer to a call; ``call`` is made anew for every attempt.

        With ``into``, a file that was just opened, the answer's content is written there as it comes. Raises
        ``ProblemError`` for any other answer and ``ExchangeUnreachableError`` where none came in time.
        """
        deadline = self._surroundings.monotonic() + self._patience
        attempt = 0
        while True:
            attempt += 1
            outcome = self._attempt(call(), into)
            if isinstance(outcome, httpx2.Response) and outcome.is_success:
                return outcome
            wait = self._wait_before_next(outcome, attempt)
            if wait is None or self._surroundings.monotonic() + wait > deadline:
                raise self._failure(outcome)
            if attempt == 1:
                self._on_wait(_again(self.base_url, outcome, seconds=round(self._patience)))
            self._surroundings.sleep(wait)

    def close(self) -> None:
        """Release every connection. Idempotent."""
        self._http.close()

    def _attempt(self, call: Call, into: IO[bytes] | None) -> httpx2.Response | httpx2.TransportError:
        try:
            with self._http.stream(
                call.method, call.path, content=call.content, headers=call.encoded, params=dict(call.parameters)
            ) as answer:
                if into is None or not answer.is_success:
                    answer.read()
                else:
                    _save(answer, into)
                return answer
        except httpx2.TransportError as error:
            return error

    def _wait_before_next(self, outcome: httpx2.Response | httpx2.TransportError, attempt: int) -> float | None:
        """Return how many seconds to wait before another attempt; None where there must be none."""
        if isinstance(outcome, httpx2.Response):
            if outcome.status_code not in _COME_AGAIN:
                return None
            named = retry_after(outcome.headers.get("retry-after"), now=self._surroundings.now())
            if named is not None:
                return named
        elif _is_untrusted_certificate(outcome):
            return None
        share = int.from_bytes(self._surroundings.randomness(2)) / 0xFFFF
        return min(_FIRST_WAIT * 2.0 ** (attempt - 1), _LONGEST_WAIT) * (0.5 + share / 2)

    def _failure(self, outcome: httpx2.Response | httpx2.TransportError) -> Exception:
        if isinstance(outcome, httpx2.Response):
            return problem_in(outcome, now=self._surroundings.now(), language=self._language)
        if _is_untrusted_certificate(outcome):
            return ExchangeUnreachableError(_untrusted_certificate(self.base_url))
        return ExchangeUnreachableError(_unreachable(self.base_url, type(outcome).__name__))


def _save(answer: httpx2.Response, into: IO[bytes]) -> None:
    """Write an answer's content to a file, from its beginning: an attempt before may have broken off."""
    into.seek(0)
    into.truncate()
    for part in answer.iter_bytes():
        into.write(part)


def _checked(base_url: str) -> httpx2.URL:
    """Return the exchange's address. Raises ``ConfigurationError`` where it is none, or would travel in clear."""
    try:
        url = httpx2.URL(base_url)
    except httpx2.InvalidURL:
        raise ConfigurationError(_NO_ADDRESS) from None
    if not url.host or url.query or url.fragment or url.userinfo or url.scheme not in ("https", "http"):
        raise ConfigurationError(_NO_ADDRESS)
    if url.scheme == "http" and not _is_loopback(url):
        raise ConfigurationError(_IN_CLEAR)
    return url


def _is_loopback(url: httpx2.URL) -> bool:
    return url.host in _LOOPBACK


def _trust(ca_file: Path | None, certificate: tuple[Path, Path] | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError:  # ssl.SSLError is one
        raise ConfigurationError(_no_authority(ca_file)) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if certificate is not None:
        try:
            context.load_cert_chain(*certificate)
        except OSError:
            raise ConfigurationError(_no_certificate(certificate[0])) from None
    return context


def _is_untrusted_certificate(error: httpx2.TransportError) -> bool:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


_NO_ADDRESS: Final = Bilingual(
    fr="L'adresse de la plateforme doit être une URL comme https://echange.exemple.ca:8443 (--url ou LACOLLE_URL).",
    en="The exchange's address must be a URL such as https://exchange.example.ca:8443 (--url or LACOLLE_URL).",
)
_IN_CLEAR: Final = Bilingual(
    fr="Sans TLS, seule une plateforme de cette machine peut être jointe : utilisez une adresse https.",
    en="Without TLS only an exchange on this machine can be called: use an https address.",
)


def _no_authority(ca_file: Path | None) -> Bilingual:
    return Bilingual(
        fr=f"{ca_file} ne contient pas de certificat d'autorité lisible (PEM) : vérifiez --ca-file.",
        en=f"{ca_file} holds no certificate authority that can be read (PEM): check --ca-file.",
    )


def _no_certificate(chain: Path) -> Bilingual:
    return Bilingual(
        fr=f"Le certificat client {chain} ou sa clé ne peut être lu (PEM) : vérifiez --certificate et "
        "--certificate-key.",
        en=f"The client certificate {chain} or its key can't be read (PEM): check --certificate and --certificate-key.",
    )


def _untrusted_certificate(base_url: str) -> Bilingual:
    return Bilingual(
        fr=f"Le certificat de {base_url} n'est pas d'une autorité reconnue ici : indiquez la sienne avec --ca-file.",
        en=f"The certificate of {base_url} is not of an authority trusted here: name its own with --ca-file.",
    )


def _again(base_url: str, outcome: httpx2.Response | httpx2.TransportError, *, seconds: int) -> Bilingual:
    if isinstance(outcome, httpx2.Response):
        return Bilingual(
            fr=f"{base_url} demande de revenir plus tard ({outcome.status_code}) : nouvelles tentatives pendant "
            f"{seconds} s au plus.",
            en=f"{base_url} asks to come again later ({outcome.status_code}): trying again for {seconds} s at most.",
        )
    cause = type(outcome).__name__
    return Bilingual(
        fr=f"{base_url} n'a pas répondu ({cause}) : nouvelles tentatives pendant {seconds} s au plus.",
        en=f"{base_url} did not answer ({cause}): trying again for {seconds} s at most.",
    )


def _unreachable(base_url: str, cause: str) -> Bilingual:
    return Bilingual(
        fr=f"{base_url} n'a pas répondu ({cause}). Vérifiez l'adresse et le réseau, puis renvoyez les mêmes octets : "
        "aucun double n'en résultera.",
        en=f"{base_url} did not answer ({cause}). Check the address and the network, then send the same bytes again: "
        "no duplicate will come of it.",
    )
