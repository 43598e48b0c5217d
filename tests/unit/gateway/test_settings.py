"""Settings: read whole, defaults named, and refused with the file, the line and the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.http.batch import MOST_LINES
from gateway.settings.exchange import Settings, read_settings
from gateway.settings.section import SettingsError
from lacolle.folder import create_folder

SMALLEST = "base_url: https://exchange.example:8443\norigin: exchange.example/log\n"


def settings(folder: Path, text: str) -> Settings:
    """Return the settings that a text says."""
    path = folder / "lacolle.yaml"
    path.write_text(text, encoding="utf-8")
    return read_settings(path)


def test_the_smallest_file_has_every_default(tmp_path: Path) -> None:
    """An address and a log's name suffice; loopback, limits and delivery have their defaults."""
    read = settings(tmp_path, SMALLEST)
    assert (read.listen.host, read.listen.port, read.listen.tls) == ("127.0.0.1", 8443, None)
    assert (read.limits.body_bytes, read.limits.rate_per_second, read.limits.burst) == (2_097_152, 50.0, 1000)
    assert read.delivery.give_up_after == 259_200


def test_a_full_batch_is_within_the_rate(tmp_path: Path) -> None:
    """Whoever changes nothing can take the largest batch of a participant that has sent nothing before."""
    assert settings(tmp_path, SMALLEST).limits.burst >= MOST_LINES


def test_what_init_writes_is_read(tmp_path: Path) -> None:
    """The file that a new folder gets says what it was made for."""
    made = create_folder(
        tmp_path / "new", base_url="https://exchange.example", origin="exchange.example/log", host="::1", port=9443
    )
    read = read_settings(made)
    assert (read.base_url, read.listen.host, read.listen.port) == ("https://exchange.example", "::1", 9443)


def test_trusted_proxies(tmp_path: Path) -> None:
    """A hop that may name a client's certificate is one address or a network, of either kind of IP."""
    read = settings(tmp_path, SMALLEST + "listen: {trusted_proxies: [192.0.2.7, 10.0.0.0/8, '2001:db8::/32']}\n")
    assert [str(each) for each in read.listen.trusted_proxies] == ["192.0.2.7/32", "10.0.0.0/8", "2001:db8::/32"]


@pytest.mark.parametrize(
    ("added", "line", "member"),
    [
        ("speed: 9\n", 3, "speed"),
        ("listen:\n  host: 127.0.0.1\n  prot: 1\n", 5, "listen.prot"),
        ("listen: {port: 65536}\n", 3, "listen.port"),
        ("listen: {port: '8443'}\n", 3, "listen.port"),
        ("listen: {tls: {certificate: server.pem}}\n", 3, "listen.tls.key"),
        ("listen: {tls: {certificate: a, key: b, client_ca: c}}\n", 3, "listen.tls"),
        ("listen: {tls: {certificate: a, key: b, client_certificates: required}}\n", 3, "listen.tls"),
        (
            "listen: {tls: {certificate: a, key: b, client_ca: c, client_certificates: some}}\n",
            3,
            "listen.tls.client_certificates",
        ),
        ("listen:\n  trusted_proxies:\n    - 10.0.0.1/8\n", 5, "listen.trusted_proxies[0]"),
        ("listen: {trusted_proxies: [elsewhere]}\n", 3, "listen.trusted_proxies[0]"),
        ("listen: {trusted_proxies: [1]}\n", 3, "listen.trusted_proxies[0]"),
        ("listen: {deadlines: {head: 0}}\n", 3, "listen.deadlines.head"),
        ("listen: {connections: {per_address: 0}}\n", 3, "listen.connections.per_address"),
        ("limits:\n  body_bytes: 12\n", 4, "limits.body_bytes"),
        ("limits: {burst: 0}\n", 3, "limits.burst"),
        ("limits: {rate_per_second: 0}\n", 3, "limits.rate_per_second"),
        ("delivery: {retry_base: -1}\n", 3, "delivery.retry_base"),
        ("delivery: {retry_cap: 1.0e+300}\n", 3, "delivery.retry_cap"),
        ("delivery: {give_up_after: 1.5}\n", 3, "delivery.give_up_after"),
        ("delivery: {give_up_after: 100000000000}\n", 3, "delivery.give_up_after"),
        ("files: {keys: [a]}\n", 3, "files.keys"),
        ("problem_base: https://exchange.example/problems/\n", 3, "problem_base"),
    ],
)
def test_a_wrong_setting_is_refused_where_it_stands(tmp_path: Path, added: str, line: int, member: str) -> None:
    """The message names the file, the line and the member, whatever is wrong with it."""
    with pytest.raises(SettingsError) as refused:
        settings(tmp_path, SMALLEST + added)
    (message,) = str(refused.value).splitlines()
    assert message.startswith(f"{tmp_path / 'lacolle.yaml'}:{line}: {member}: ")


@pytest.mark.parametrize("url", ["ftp://a", "https://", "https://a/", "https://a?b", "https://a b", "a.example"])
def test_an_address_that_is_none_is_refused(tmp_path: Path, url: str) -> None:
    """The base address is http or https, without a slash at its end, query or fragment."""
    with pytest.raises(SettingsError, match=r":1: base_url: "):
        settings(tmp_path, f"base_url: {url}\norigin: exchange.example/log\n")


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    """Three faults are three lines, so that nobody mends one at a time."""
    with pytest.raises(SettingsError) as refused:
        settings(tmp_path, "origin: UPPER\nlimits: {burst: x}\n")
    assert [line.split(": ")[1] for line in str(refused.value).splitlines()] == ["base_url", "origin", "limits.burst"]


def test_a_cap_below_its_base_is_refused(tmp_path: Path) -> None:
    """Retries whose longest delay is shorter than their first are a mistake."""
    with pytest.raises(SettingsError, match="retry_cap"):
        settings(tmp_path, f"{SMALLEST}delivery: {{retry_base: 5, retry_cap: 1}}\n")


@pytest.mark.parametrize("limit", ["body_bytes", "batch_bytes"])
def test_what_one_may_send_the_process_can_hold(tmp_path: Path, limit: str) -> None:
    """A largest body that is over what all of them together may hold is a mistake."""
    with pytest.raises(SettingsError, match="held_bytes"):
        settings(tmp_path, f"{SMALLEST}limits: {{{limit}: 40000000, held_bytes: 39999999}}\n")


@pytest.mark.parametrize(("body", "fits"), [(983_616, True), (983_617, False)])
def test_what_is_accepted_the_bus_can_carry(tmp_path: Path, body: int, fits: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """A largest submission that would not fit into a record, with what goes with it, is refused before the start."""
    kafka = "bus: {kafka: {bootstrap: ['127.0.0.1:9092'], topics: {max_record_bytes: 1000000}}}\n"
    text = f"{SMALLEST}{kafka}limits: {{body_bytes: {body}}}\n"
    if fits:
        assert settings(tmp_path, text).limits.body_bytes == body
        return
    with pytest.raises(SettingsError, match="max_record_bytes"):
        settings(tmp_path, text)


@pytest.mark.parametrize("text", ["", "[]", "base_url: [", "a: 1\na: 2\n", "{}\n---\n{}\n"])
def test_what_is_no_mapping_of_settings_is_refused(tmp_path: Path, text: str) -> None:
    """An empty file, a list, broken YAML, a member that stands twice and two documents are refused with a line."""
    with pytest.raises(SettingsError, match=r"lacolle\.yaml:\d+: "):
        settings(tmp_path, text)


def test_a_file_that_is_not_there_says_how_to_make_one(tmp_path: Path) -> None:
    """The operator is told the command that makes a folder; bytes that are no UTF-8 are refused alike."""
    with pytest.raises(SettingsError, match="lacolle init"):
        read_settings(tmp_path / "lacolle.yaml")
    (tmp_path / "lacolle.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="UnicodeDecodeError"):
        read_settings(tmp_path / "lacolle.yaml")
