"""The ``lacolle`` command's client half: what it says, where, in which language, and with which exit status."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner, Result

from agreements.signed import agreement_bytes
from agreements.written import read_agreement
from lacolle.cli import application
from lacolle.keyfiles import load_key_file, write_key_file
from schemas.ids import KeyId
from schemas.signing.jws import ALERT, read_compact, split_signatures, verify
from schemas.signing.keys import SigningKey
from schemas.signing.sd_jwt import read_sd_jwt, verify_sd_jwt
from schemas.signing.strict_json import JsonValue, parse_json
from tests.unit.lacolle.scripted import ALERT_ID, DELIVERY_ID, Answer, ScriptedExchange, accepted_body

AGREEMENT = Path(__file__).parents[3] / "deploy" / "samples" / "agreements" / "ca-qc.us-ny.crime-2008.yaml"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Speak English, and take nothing from the environment of whoever runs the tests."""
    for name in ("URL", "PARTICIPANT", "KEY", "CA_FILE", "ISSUER", "EXCHANGE_KEYS", "EXCHANGE"):
        monkeypatch.delenv(f"LACOLLE_{name}", raising=False)
    for name in ("LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "en_CA.UTF-8")


@pytest.fixture
def key_file(tmp_path: Path, agency_key: SigningKey) -> Path:
    """Return the file of the agency's key."""
    write_key_file(tmp_path / "sq.jwk", agency_key)
    return tmp_path / "sq.jwk"


@pytest.fixture
def alert_file(tmp_path: Path, alert: dict[str, JsonValue]) -> Path:
    """Return a file with an alert in its native form."""
    (tmp_path / "alert.json").write_bytes(orjson.dumps(alert))
    return tmp_path / "alert.json"


@pytest.fixture
def connected(exchange: ScriptedExchange, key_file: Path, monkeypatch: pytest.MonkeyPatch) -> ScriptedExchange:
    """Return an exchange that the environment names, together with who speaks to it."""
    monkeypatch.setenv("LACOLLE_URL", exchange.url)
    monkeypatch.setenv("LACOLLE_PARTICIPANT", "ca-qc.sq")
    monkeypatch.setenv("LACOLLE_KEY", str(key_file))
    return exchange


def run(*words: str | Path, given: bytes = b"") -> Result:
    """Run the command with these words, and this on standard input."""
    return CliRunner().invoke(application(), [str(word) for word in words], input=given)


def test_keygen_makes_a_key_and_shows_its_public_half(tmp_path: Path) -> None:
    """The key file is written, and what is shown is the public JWK with nothing private in it."""
    result = run("keygen", tmp_path / "new.jwk", "--kid", "ca-qc.sq.2027", "--alg", "ES256", "--json")
    shown = orjson.loads(result.stdout)
    assert result.exit_code == 0
    assert shown["public"] == dict(load_key_file(tmp_path / "new.jwk").public.jwk)
    assert "d" not in shown["public"]


@pytest.mark.parametrize("kid", ["with space", "", "é"])
def test_keygen_refuses_a_bad_name(tmp_path: Path, kid: str) -> None:
    """A name that no key may have is refused, and no file is left behind."""
    result = run("keygen", tmp_path / "new.jwk", "--kid", kid)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "kid" in result.stderr
    assert not (tmp_path / "new.jwk").exists()


def test_sign_writes_a_submission(key_file: Path, alert_file: Path, agency_key: SigningKey) -> None:
    """What ``sign`` prints is the alert, signed with the key named in the form named, or that its type asks."""
    command = ("sign", alert_file, "--key", key_file, "--participant", "ca-qc.sq")
    for chosen in ((), ("--form", "sd-jwt")):
        submission = read_sd_jwt(run(*command, *chosen).stdout.strip().encode())
        assert verify_sd_jwt(submission, agency_key.public).document == parse_json(alert_file.read_bytes())
    result = run(*command, "--form", "jose")
    payload = verify(read_compact(result.stdout.strip().encode(), ALERT), agency_key.public)
    assert parse_json(payload) == parse_json(alert_file.read_bytes())


CAP = """<?xml version="1.0" encoding="UTF-8"?>
<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2">
  <identifier>MSP-2026-0001</identifier><sender>msp@example.ca</sender><sent>2026-01-17T14:05:09-05:00</sent>
  <status>Exercise</status><msgType>Alert</msgType><scope>Public</scope>
  <info>
    <language>fr-CA</language><category>Met</category><event>crue</event>
    <urgency>{urgency}</urgency><severity>Severe</severity><certainty>Likely</certainty>
    <area><areaDesc>Lacolle</areaDesc></area>
  </info>
</alert>
"""


def test_sign_takes_cap(key_file: Path, tmp_path: Path) -> None:
    """A CAP file becomes a native public warning of the participant's, signed."""
    (tmp_path / "alert.xml").write_text(CAP.format(urgency="Immediate"))
    result = run("sign", "--cap", tmp_path / "alert.xml", "--key", key_file, "--participant", "ca-qc.msp")
    document = parse_json(read_compact(result.stdout.strip().encode(), ALERT).payload)
    assert isinstance(document, dict)
    assert (document["type"], document["sender"]) == ("emergency-management/public-warning/v1", "ca-qc.msp")


def test_a_fault_in_cap_is_told_with_its_line(key_file: Path, tmp_path: Path) -> None:
    """A CAP file that breaks the standard is refused with the element and the line."""
    (tmp_path / "alert.xml").write_text(CAP.format(urgency="Soon"))
    result = run("sign", "--cap", tmp_path / "alert.xml", "--key", key_file, "--participant", "ca-qc.msp")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "/alert/info[1]/urgency (line 7)" in result.stderr


def test_sign_tells_each_fault_in_either_language(key_file: Path, tmp_path: Path) -> None:
    """An invalid alert is refused with each place, in the language asked for, and nothing on standard output."""
    (tmp_path / "alert.json").write_text('{"type": "law-enforcement/stolen-vehicle/v1"}')
    for language, expected in (("en", "This member is required."), ("fr", "Ce membre est requis.")):
        words = ("sign", tmp_path / "alert.json", "--key", key_file, "--participant", "ca-qc.sq", "--lang", language)
        result = run(*words)
        assert (result.exit_code, result.stdout) == (1, "")
        assert f"/status: {expected}" in result.stderr


def test_send_answers_with_the_receipt(connected: ScriptedExchange, alert_file: Path, tmp_path: Path) -> None:
    """``send --json`` prints one object with the verified receipt, and ``--receipt`` keeps it as it was signed."""
    result = run("send", alert_file, "--receipt", tmp_path / "receipt.jws", "--json")
    answer = orjson.loads(result.stdout)
    assert result.exit_code == 0
    assert (answer["alert_id"], answer["receipt"]["log_index"], answer["replayed"]) == (ALERT_ID, 42, False)
    assert (tmp_path / "receipt.jws").read_text().strip() == answer["receipt_jws"]
    assert len(connected.to("/v1/alerts")) == 1


def test_send_tells_a_person_who_received_it(connected: ScriptedExchange, alert_file: Path) -> None:
    """Without ``--json`` the recipients are named with their clause, in French for a French locale."""
    result = run("send", alert_file, "--lang", "fr")
    assert "Acceptée" in result.stdout
    assert "us-ny.nysp (voie urgente), selon ca-qc.us-ny.crime-2008/1#3.1" in result.stdout
    assert len(connected.requests) == 2


def test_send_says_when_nobody_receives_it(connected: ScriptedExchange, alert_file: Path) -> None:
    """An accepted alert without recipients is told as such, with the command that says why."""
    connected.script["/v1/alerts"] = [
        lambda request: Answer(201, {**accepted_body(request.body, connected.key), "recipients": []})
    ]
    assert "lacolle preview" in run("send", alert_file).stdout


def test_send_takes_standard_input_and_what_was_signed_before(
    connected: ScriptedExchange, alert_file: Path, key_file: Path
) -> None:
    """``-`` is standard input; a submission of either form signed before is sent as it is, byte for byte."""
    command = ("sign", alert_file, "--key", key_file, "--participant", "ca-qc.sq")
    for number, form in enumerate(("jose", "sd-jwt")):
        submission = run(*command, "--form", form).stdout.encode()
        assert run("send", "-", given=submission).exit_code == 0
        assert connected.to("/v1/alerts")[number].body == submission.strip()


@pytest.mark.parametrize(("language", "words"), [("fr", "nouvelles tentatives"), ("en", "trying again")])
@pytest.mark.parametrize("way", [("--json",), ()], ids=["program", "person"])
def test_send_says_that_it_tries_again(
    connected: ScriptedExchange, alert_file: Path, language: str, words: str, way: tuple[str, ...]
) -> None:
    """An exchange that does not answer is not waited for in silence; standard output has the answer alone."""
    connected.script["/v1/alerts"] = [Answer(0), connected.accept]
    result = run("send", alert_file, "--lang", language, *way)
    assert result.exit_code == 0
    assert words in result.stderr
    assert connected.url in result.stderr
    assert words not in result.stdout


def test_statement_submit_says_that_it_tries_again(connected: ScriptedExchange, tmp_path: Path) -> None:
    """So does the authority's command."""
    (tmp_path / "statement.jws").write_text("a.b.c")
    answer = Answer(201, {"participant": "ca-qc.sq", "log_index": 1})
    connected.script["/v1/statements"] = [Answer(0), answer]
    result = run("statement", "submit", tmp_path / "statement.jws")
    assert (result.exit_code, "trying again" in result.stderr) == (0, True)


@pytest.mark.parametrize("command", ["send", "preview", "sign"])
@pytest.mark.parametrize("form", ["native", "signed"])
def test_nobody_speaks_for_somebody_else(
    connected: ScriptedExchange, alert_file: Path, tmp_path: Path, command: str, form: str
) -> None:
    """An alert of another sender than the participant named is refused, whatever its form, and nothing is sent."""
    if form == "signed":
        run("sign", alert_file, "--out", tmp_path / "alert.jws")
        alert_file = tmp_path / "alert.jws"
    for language, words in (("en", "you speak as us-ny.nysp"), ("fr", "vous parlez au nom de us-ny.nysp")):
        result = run(command, alert_file, "--participant", "us-ny.nysp", "--lang", language)
        assert (result.exit_code, result.stdout) == (1, "")
        assert words in result.stderr
        assert "ca-qc.sq" in result.stderr
    assert connected.requests == []


def test_nobody_speaks_for_somebody_else_among_several(connected: ScriptedExchange, alert_file: Path) -> None:
    """One alert of another sender keeps the alerts that were named with it from being sent."""
    other = alert_file.with_name("other.json")
    other.write_bytes(alert_file.read_bytes().replace(b'"ca-qc.sq"', b'"ca-qc.spvm"'))
    result = run("send", alert_file, other)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "ca-qc.spvm" in result.stderr
    assert connected.requests == []


def test_a_refusal_is_told_with_what_to_do(connected: ScriptedExchange, alert_file: Path) -> None:
    """A problem ends with status 1, its title, its advice and the request's id on standard error."""
    problem = {"type": "urn:x/not-permitted", "title": "The participant may not do this", "instance": "b7c5"}
    connected.script["/v1/alerts"] = [Answer(403, problem, media_type="application/problem+json")]
    result = run("send", alert_file)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "Your authority's statement says" in result.stderr
    assert "b7c5" in result.stderr


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("absent.json", None, "check the path"),
        ("broken.json", b'{"a": 1, "a": 2}', "/a"),
        ("list.json", b"{", "JSON"),
    ],
)
def test_an_unreadable_alert_is_told(
    connected: ScriptedExchange, tmp_path: Path, name: str, content: bytes | None, expected: str
) -> None:
    """A file that is missing, or is no strict JSON, is refused before anything is sent."""
    if content is not None:
        (tmp_path / name).write_bytes(content)
    result = run("send", tmp_path / name)
    assert result.exit_code == 1
    assert expected in result.stderr
    assert connected.requests == []


@pytest.mark.parametrize("words", [("send",), ("send", "a", "--cap", "b"), ("status",), ("ack", "a", "b", "seen")])
@pytest.mark.usefixtures("connected")
def test_wrong_usage_has_status_2(words: tuple[str, ...]) -> None:
    """A command line that can't be meant ends with status 2."""
    assert run(*words).exit_code == 2


@pytest.mark.parametrize("missing", ["LACOLLE_URL", "LACOLLE_PARTICIPANT", "LACOLLE_KEY"])
@pytest.mark.usefixtures("connected")
def test_what_is_missing_is_named(missing: str, alert_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an exchange, a participant or a key the usage error names the option and its variable."""
    monkeypatch.delenv(missing)
    result = run("send", alert_file)
    assert result.exit_code == 2
    assert f"--{missing.removeprefix('LACOLLE_').lower()}" in result.stderr


def test_preview_tells_why(connected: ScriptedExchange, alert_file: Path) -> None:
    """``preview`` names each participant with the decision's reason in the language asked for."""
    decision = {"participant": "us-vt.vsp", "decision": "deny", "reason": {"fr": "Refusé.", "en": "Denied."}}
    document = {"sender": "ca-qc.sq", "identifier": "X", "deadline": "2026-01-20T05:00:00.000Z"}
    connected.script["/v1/alerts/preview"] = [Answer(200, {**document, "decisions": [decision]})]
    assert "us-vt.vsp : Refusé." in run("preview", alert_file, "--lang", "fr").stdout
    assert "us-vt.vsp: Denied." in run("preview", alert_file, "--lang", "en").stdout


def test_ack_tells_where_it_was_logged(connected: ScriptedExchange) -> None:
    """``ack`` posts the signed word and prints its place in the log."""
    answer = {"alert_id": ALERT_ID, "delivery_id": DELIVERY_ID, "status": "read", "log_index": 7}
    connected.script[f"/v1/alerts/{ALERT_ID}/acknowledgements"] = [Answer(201, answer)]
    assert orjson.loads(run("ack", ALERT_ID, DELIVERY_ID, "read", "--json").stdout) == answer
    assert "entry 7" in run("ack", ALERT_ID, DELIVERY_ID, "read").stdout


@pytest.mark.parametrize(("locale", "language"), [("fr_CA.UTF-8", "fr"), ("C", "en"), ("", "en"), ("FR", "fr")])
def test_the_locale_decides_the_language(
    locale: str, language: str, connected: ScriptedExchange, alert_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without ``--lang`` the environment's locale decides, here and in what the exchange is asked for."""
    monkeypatch.setenv("LANG", locale)
    result = run("send", alert_file)
    assert ("Acceptée" in result.stdout) == (language == "fr")
    assert connected.requests[0].headers["accept-language"] == language


def test_two_versions_are_compared_in_words(tmp_path: Path) -> None:
    """``agreement diff`` says in either language what a new version lets through, and what it no longer does."""
    old = AGREEMENT.read_text(encoding="utf-8")
    new = tmp_path / "new.yaml"
    new.write_text(
        old.replace("version: 1", "version: 2").replace("ceiling: AMBER}", "ceiling: GREEN}"), encoding="utf-8"
    )
    told = run("agreement", "diff", AGREEMENT, new, "--lang", "en").stdout
    assert "No longer passes:" in told
    assert "Now passes:" not in told
    back = run("agreement", "diff", new, AGREEMENT, "--lang", "fr").stdout
    assert "Passe désormais :" in back
    assert "disent la même chose" in run("agreement", "diff", AGREEMENT, AGREEMENT, "--lang", "fr").stdout
    shown = orjson.loads(run("agreement", "diff", AGREEMENT, new, "--json").stdout)
    effects = {each["effect"] for each in shown["differences"]}
    assert "less" in effects
    assert "more" not in effects


def test_agreements_are_explained_in_words() -> None:
    """``agreement explain`` prints the document's title and clauses in the language asked for."""
    assert "# Entente de coopération" in run("agreement", "explain", AGREEMENT, "--lang", "fr").stdout
    assert "# Cooperation agreement" in run("agreement", "explain", AGREEMENT, "--lang", "en").stdout


def test_each_party_signs_the_same_bytes(tmp_path: Path) -> None:
    """Two parties sign one after the other; the file holds both signatures over the document's canonical bytes."""
    document = read_agreement(AGREEMENT.read_text(), file="agreement")
    keys = [SigningKey.generate(KeyId(f"{party}.authority"), "Ed25519") for party in document.parties]
    source = AGREEMENT
    for number, key in enumerate(keys):
        write_key_file(tmp_path / f"{number}.jwk", key)
        out = tmp_path / f"{number}.json"
        result = run("agreement", "sign", source, "--key", tmp_path / f"{number}.jwk", "--out", out, "--json")
        assert orjson.loads(result.stdout)["signatures"] == number + 1
        source = out
    signatures = split_signatures(source.read_bytes().strip())
    payloads = [verify(one, key.public) for one, key in zip(signatures, keys, strict=True)]
    assert payloads == [agreement_bytes(document)] * 2


def test_a_party_signs_once(tmp_path: Path, key_file: Path) -> None:
    """A second signature with the same key is refused."""
    first, second = tmp_path / "1.json", tmp_path / "2.json"
    assert run("agreement", "sign", AGREEMENT, "--key", key_file, "--out", first).exit_code == 0
    assert run("agreement", "sign", first, "--key", key_file, "--out", second).exit_code == 1
    assert not second.exists()


def test_what_is_no_agreement_is_told_line_by_line(tmp_path: Path, key_file: Path) -> None:
    """A document that is no agreement is refused with the file and the line of each fault."""
    (tmp_path / "bad.yaml").write_text("agreement: lacolle.agreement/v1\nid: 'NOT AN ID'\n")
    result = run("agreement", "sign", tmp_path / "bad.yaml", "--key", key_file, "--out", tmp_path / "out.json")
    assert result.exit_code == 1
    assert f"{tmp_path / 'bad.yaml'}:2: id: " in result.stderr


def test_the_bundle_of_another_alert_is_not_taken(connected: ScriptedExchange, tmp_path: Path) -> None:
    """An exchange that answers with another alert's evidence than was asked for is told off, and nothing is written."""
    connected.script["/oauth/token"] = [
        Answer(200, {"access_token": "token", "token_type": "Bearer", "expires_in": 300})
    ]
    bundle = (Path(__file__).parents[2] / "golden" / "evidence" / "v2" / "bundle.zip").read_bytes()
    connected.script[f"/v1/alerts/{ALERT_ID}/evidence"] = [Answer(200, media_type="application/zip", content=bundle)]
    file = tmp_path / "drawn.zip"
    result = run("evidence", "get", ALERT_ID, "--justification", "x", "--output", file)
    assert result.exit_code == 1
    assert "another alert" in result.stderr
    assert not file.exists()
