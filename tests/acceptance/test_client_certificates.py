"""A participant whose authority names its certificates speaks over a connection that showed one, and over no other."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import hashlib
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import httpx2
import pytest

from lacolle.certificates import IssuedCertificate, LocalAuthority
from tests.acceptance.agency import Agencies, Agency, members, problem_of
from tests.acceptance.alerts import stolen_vehicle
from tests.acceptance.conftest import GENEROUS, ServerProcess, TlsServer, calling, serving, serving_tls
from tests.acceptance.enrolment import enrol
from tests.acceptance.independent import Key
from tests.patience import GIVES_UP_AFTER

PROXY = "127.0.0.7"


def der(certificate: IssuedCertificate) -> bytes:
    """Return a certificate's DER form."""
    return ssl.PEM_cert_to_DER_cert(certificate.chain.read_text())


def digest(certificate: IssuedCertificate) -> str:
    """Return a certificate as a statement names it."""
    return f"sha-256:{hashlib.sha256(der(certificate)).hexdigest()}"


@pytest.fixture(scope="module")
def mutual(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsServer]:
    """Return an exchange that takes no connection without a certificate."""
    with serving_tls(tmp_path_factory.mktemp("mutual"), settings=GENEROUS, mutual=True) as server:
        yield server


@pytest.fixture(scope="module")
def operator(mutual: TlsServer) -> Iterator[Agencies]:
    """Return everyone's systems over one connection, the operator's own."""
    with calling(mutual) as agencies:
        yield agencies


@pytest.fixture(scope="module")
def own(mutual: TlsServer) -> IssuedCertificate:
    """Return the certificate that the bound agency's authority names."""
    return mutual.authority.issue("bound-agency")


@pytest.fixture(scope="module")
def bound(operator: Agencies, own: IssuedCertificate) -> Agency:
    """Return an agency that is bound to its certificate; its calls here come over the operator's connection."""
    return enrol(operator, "CA-QC", certificates=[digest(own)])


@contextmanager
def over(server: TlsServer, agency: Agency, certificate: IssuedCertificate) -> Iterator[Agency]:
    """Yield an agency's system over a connection with this certificate."""
    trust = ssl.create_default_context(cafile=server.authority.ca_file)
    trust.load_cert_chain(certificate.chain, certificate.key)
    with httpx2.Client(base_url=server.world.base_url, verify=trust, trust_env=False) as http:
        yield dataclasses.replace(agency, http=http, tokens={})


def test_no_certificate_no_connection(mutual: TlsServer) -> None:
    """Where certificates are required, who shows none, or one of an unknown authority, gets no answer at all."""
    stranger = LocalAuthority(mutual.world.folder / "stranger").issue("stranger")
    for certificate in (None, stranger):
        trust = ssl.create_default_context(cafile=mutual.authority.ca_file)
        if certificate is not None:
            trust.load_cert_chain(certificate.chain, certificate.key)
        with httpx2.Client(verify=trust, trust_env=False) as http, pytest.raises(httpx2.TransportError):
            http.get(f"{mutual.world.base_url}/healthz")


def test_submitting(mutual: TlsServer, bound: Agency, own: IssuedCertificate) -> None:
    """A submission counts over the agency's own certificate; over another it is a stranger's, to the letter."""
    with over(mutual, bound, own) as agency:
        assert agency.submit(stolen_vehicle({"sender": bound.participant})).status_code == 201
        assert agency.preview(stolen_vehicle({"sender": bound.participant})).status_code == 200
    for path in ("/v1/alerts", "/v1/alerts/preview"):
        alert = stolen_vehicle({"sender": bound.participant})
        refused = members(bound.post(bound.sign(alert), path))
        unknown = members(bound.post(bound.sign(alert, Key.new(f"{bound.participant}:none")), path))
        assert refused["status"] == 401
        assert {**refused, "instance": None} == {**unknown, "instance": None}


def test_a_wrong_clock_is_told_as_to_a_stranger(bound: Agency) -> None:
    """Whether a key is bound does not show in which fault is told first."""
    late = bound.sign(stolen_vehicle({"sender": bound.participant}), signed_ago=3600)
    assert problem_of(bound.post(late), 400) == "malformed-submission"
    assert problem_of(bound.post(b"a.b.c"), 400) == "malformed-submission"


def test_tokens(mutual: TlsServer, bound: Agency, own: IssuedCertificate, operator: Agencies) -> None:
    """A token is asked for, and used, over the agency's own certificate alone."""
    refused = bound.ask_token(bound.assertion())
    assert (refused.status_code, members(refused)["error"]) == (401, "invalid_client")
    with over(mutual, bound, own) as agency:
        token = agency.token()
        assert agency.get("/v1/participants").status_code == 200
        claims = members_of_token(token)
        thumbprint = base64.urlsafe_b64encode(hashlib.sha256(der(own)).digest()).rstrip(b"=").decode()
        assert claims["cnf"] == {"x5t#S256": thumbprint}
    elsewhere = operator.http.get("/v1/participants", headers={"Authorization": f"Bearer {token}"})
    assert problem_of(elsewhere, 401) == "token-refused"
    assert 'error="invalid_token"' in elsewhere.headers["www-authenticate"]


def test_a_token_is_bound_where_the_agency_is_not(
    mutual: TlsServer, operator: Agencies, own: IssuedCertificate
) -> None:
    """A token that was given over a certificate is no use over another, whoever asked for it."""
    sq = operator["ca-qc.sq"]
    with over(mutual, sq, own) as agency:
        answer = agency.http.get("/v1/participants", headers={"Authorization": f"Bearer {sq.token()}"})
    assert problem_of(answer, 401) == "token-refused"
    assert sq.get("/v1/participants").status_code == 200


def test_acknowledging(mutual: TlsServer, bound: Agency, own: IssuedCertificate) -> None:
    """An acknowledgement over another certificate is a stranger's; over the agency's own it is looked at."""
    nothing = "019b0000-0000-7000-8000-000000000000"
    assert problem_of(bound.acknowledge(nothing, nothing), 401) == "signature-not-trusted"
    with over(mutual, bound, own) as agency:
        assert problem_of(agency.acknowledge(nothing, nothing), 404) == "not-found"


def members_of_token(token: str) -> dict[str, object]:
    """Return a token's claims."""
    payload = token.split(".")[1]
    answer = httpx2.Response(200, content=base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return members(answer)


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Return an exchange behind a proxy, which has an address of its own on loopback."""
    settings = {**GENEROUS, "listen": {"trusted_proxies": [PROXY]}}
    with serving(tmp_path_factory.mktemp("behind"), settings=settings) as server:
        yield server


def test_behind_a_proxy(behind: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> None:
    """What a trusted proxy says it was shown counts; what anyone else says in the same words does not."""
    certificate = LocalAuthority(tmp_path_factory.mktemp("proxied")).issue("proxied")
    shown = {"Client-Cert": f":{base64.b64encode(der(certificate)).decode()}:"}
    with calling(behind) as agencies:
        agency = enrol(agencies, "CA-QC", certificates=[digest(certificate)])
        alert = stolen_vehicle({"sender": agency.participant})
        assert problem_of(agency.post(agency.sign(alert), **shown), 401) == "signature-not-trusted"
        transport = httpx2.HTTPTransport(local_address=PROXY)
        with httpx2.Client(base_url=behind.world.base_url, transport=transport) as http:
            proxied = dataclasses.replace(agency, http=http, tokens={})
            assert problem_of(proxied.post(agency.sign(alert)), 401) == "signature-not-trusted"
            assert proxied.post(agency.sign(alert), **shown).status_code == 201
            assert proxied.post(agency.sign(alert), **{"Client-Cert": "nonsense"}).status_code == 400


def test_a_body_is_never_a_request(behind: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> None:
    """What a trusted proxy forwards as one client's body can't speak for another, whatever the head asks for."""
    certificate = LocalAuthority(tmp_path_factory.mktemp("smuggled")).issue("smuggled")
    with calling(behind) as agencies:
        agency = enrol(agencies, "CA-QC", certificates=[digest(certificate)])
    submission = agency.sign(stolen_vehicle({"sender": agency.participant}))
    shown = base64.b64encode(der(certificate))
    inner = _head(b"Client-Cert: :" + shown + b":", len(submission)) + submission
    address = urlsplit(behind.world.base_url)
    for asked in (b"Connection: upgrade\r\nUpgrade: x", b"Connection: Upgrade, x\r\nupgrade: h2c"):
        with socket.create_connection((address.hostname or "", address.port or 0), 5.0, (PROXY, 0)) as sock:
            sock.sendall(_head(asked, len(inner)))
            time.sleep(0.2)  # what comes in another read is what a parser might begin anew with
            with contextlib.suppress(ConnectionError):
                sock.sendall(inner)
            assert b" 201 " not in _all_of(sock)


def _head(fields: bytes, length: int) -> bytes:
    lines = (b"POST /v1/alerts HTTP/1.1", b"Host: x", b"Content-Type: application/jose", fields)
    return b"\r\n".join((*lines, b"Content-Length: %d" % length, b"", b""))


def _all_of(sock: socket.socket) -> bytes:
    received = b""
    sock.settimeout(GIVES_UP_AFTER)
    with contextlib.suppress(TimeoutError, ConnectionError):
        while chunk := sock.recv(65_536):
            received += chunk
    return received
