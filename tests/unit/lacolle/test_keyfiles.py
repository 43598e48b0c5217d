"""Private keys in files."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from lacolle.keyfiles import KeyFileError, Reader, load_key_file, write_key_file
from schemas.signing.keys import SigningKey


def test_a_written_key_signs_again(tmp_path: Path, key: SigningKey) -> None:
    """A key that was written is the same key when it is read: what it signs, the first one's public half verifies."""
    write_key_file(tmp_path / "key.jwk", key)
    loaded = load_key_file(tmp_path / "key.jwk")
    assert (loaded.kid, loaded.alg) == (key.kid, key.alg)
    assert key.public.verify(b"bytes", loaded.sign(b"bytes"))


def test_a_key_file_is_its_owners_alone(tmp_path: Path, key: SigningKey) -> None:
    """A new key file has mode 0600, whatever the umask would allow."""
    write_key_file(tmp_path / "key.jwk", key)
    assert stat.S_IMODE((tmp_path / "key.jwk").stat().st_mode) == 0o600


def test_a_key_is_never_overwritten(tmp_path: Path, key: SigningKey) -> None:
    """Writing to a file that exists is refused, and the file keeps what it held."""
    (tmp_path / "key.jwk").write_text("precious")
    with pytest.raises(KeyFileError, match="never overwritten"):
        write_key_file(tmp_path / "key.jwk", key)
    assert (tmp_path / "key.jwk").read_text() == "precious"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o777])
def test_a_key_that_others_could_reach_is_refused(tmp_path: Path, key: SigningKey, mode: int) -> None:
    """A key file with any right for group or others is refused, and the message says which command mends it."""
    path = tmp_path / "key.jwk"
    write_key_file(path, key)
    path.chmod(mode)
    with pytest.raises(KeyFileError, match="chmod 600") as refused:
        load_key_file(path)
    assert "chmod 600" in refused.value.in_language("fr")


def _mounted(path: Path, key: SigningKey, mode: int) -> Reader:
    """Write a key file with a mode, and return a reader that is not its owner, but in its group."""
    write_key_file(path, key)
    path.chmod(mode)
    found = path.stat()
    return Reader(uid=found.st_uid + 1, groups=frozenset({found.st_gid, found.st_gid + 1}))


@pytest.mark.parametrize("mode", [0o400, 0o440, 0o640])
def test_a_mounted_key_is_read_by_its_group(tmp_path: Path, key: SigningKey, mode: int) -> None:
    """A key that another account owns, and that its group may read and no more, is one for whoever is in the group."""
    path = tmp_path / "key.jwk"
    reader = _mounted(path, key, mode)
    assert load_key_file(path, reader=reader).kid == key.kid


@pytest.mark.parametrize("mode", [0o444, 0o460, 0o450, 0o644, 0o660])
def test_a_mounted_key_that_more_than_the_group_may_read_is_refused(tmp_path: Path, key: SigningKey, mode: int) -> None:
    """Nobody outside the group may read a mounted key, and the group may do nothing but read it."""
    path = tmp_path / "key.jwk"
    reader = _mounted(path, key, mode)
    with pytest.raises(KeyFileError, match="0440"):
        load_key_file(path, reader=reader)


def test_a_group_that_is_not_the_readers_opens_no_key(tmp_path: Path, key: SigningKey) -> None:
    """A key that a group may read which the process is not in was made readable for somebody else, and is refused."""
    path = tmp_path / "key.jwk"
    reader = _mounted(path, key, 0o440)
    with pytest.raises(KeyFileError, match="chmod 600"):
        load_key_file(path, reader=Reader(uid=reader.uid, groups=frozenset({path.stat().st_gid + 1})))


def test_an_owner_needs_no_group(tmp_path: Path, key: SigningKey) -> None:
    """Whoever owns the key can read it without the group, so a group that may read it as well is refused."""
    path = tmp_path / "key.jwk"
    reader = _mounted(path, key, 0o440)
    with pytest.raises(KeyFileError, match="chmod 600"):
        load_key_file(path, reader=Reader(uid=path.stat().st_uid, groups=reader.groups))


def test_a_process_reads_as_itself(tmp_path: Path, key: SigningKey) -> None:
    """Who reads is the effective user with all of its groups."""
    reader = Reader.this_process()
    write_key_file(tmp_path / "key.jwk", key)
    assert reader.uid == (tmp_path / "key.jwk").stat().st_uid
    assert reader.groups >= set(os.getgroups())


@pytest.mark.parametrize("content", ["", "{}", "[]", "not json", '{"kty":"OKP","kty":"OKP"}', "{" + " " * 5000 + "}"])
def test_what_is_no_private_key_is_refused(tmp_path: Path, content: str) -> None:
    """A file that holds anything but one private JWK is refused, and its content is not repeated."""
    path = tmp_path / "key.jwk"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match="is not a private key"):
        load_key_file(path)


def test_a_public_key_is_no_private_key(tmp_path: Path, key: SigningKey) -> None:
    """A file with the public half alone is refused."""
    path = tmp_path / "key.jwk"
    path.write_text(str(dict(key.public.jwk)).replace("'", '"'))
    path.chmod(0o600)
    with pytest.raises(KeyFileError):
        load_key_file(path)


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    """A path that names nothing gives an error that names the path."""
    with pytest.raises(KeyFileError, match=r"absent\.jwk"):
        load_key_file(tmp_path / "absent.jwk")
