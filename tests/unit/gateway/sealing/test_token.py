"""A key-encryption key in a PKCS#11 token: SoftHSM's, which the suite makes for itself."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import pytest

from gateway.sealing.errors import KeyEncryptionKeyError
from gateway.sealing.kek import UnwrapError
from gateway.settings.sealing import TokenSettings
from tests.servers.availability import unavailable

MODULES: Final = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
)
PIN: Final = "4711-0815"
LABEL: Final = {"token_label": "lacolle"}


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Yield the folder of a token with the key ``content``, its PIN beside it; the library reads its place once."""
    util = os.environ.get("LACOLLE_TEST_SOFTHSM_UTIL") or shutil.which("softhsm2-util")
    places = (os.environ.get("LACOLLE_TEST_SOFTHSM_MODULE", ""), *MODULES)
    module = next((place for place in places if place and Path(place).is_file()), None)
    if util is None or module is None:
        unavailable("SoftHSM is not installed (Debian's package softhsm2 has it)")
    if find_spec("pkcs11") is None:
        unavailable("python-pkcs11 is not installed (the extra pkcs11 has it)")
    import pkcs11  # noqa: PLC0415 - an extra

    folder = tmp_path_factory.mktemp("token")
    (folder / "tokens").mkdir()
    (folder / "pin").write_text(f"{PIN}\n")
    (folder / "pin").chmod(0o600)
    (folder / "module").symlink_to(str(module))
    (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder / 'tokens'}\nobjectstore.backend = file\n")
    patch = pytest.MonkeyPatch()
    patch.setenv("SOFTHSM2_CONF", str(folder / "softhsm2.conf"))
    words = ("--init-token", "--free", "--label", "lacolle", "--pin", PIN, "--so-pin", "0000-0000")
    subprocess.run([str(util), "--module", str(module), *words], check=True, capture_output=True, timeout=30)
    with pkcs11.lib(str(folder / "module")).get_token(**LABEL).open(rw=True, user_pin=PIN) as session:
        session.generate_key(pkcs11.KeyType.AES, 256, store=True, label="content")
    yield folder
    patch.undo()


def settings(folder: Path, **other: str) -> TokenSettings:
    """Return the settings of the key in a token's folder."""
    named = {"module": str(folder / "module"), "token_label": "lacolle", "key_label": "content", "pin_file": "pin"}
    return TokenSettings(**{**named, **other})


def test_a_token_wraps_and_unwraps(token: Path) -> None:
    """What the token wrapped it unwraps, for the same purpose and unaltered; the key itself is never seen."""
    from gateway.sealing.token import open_token_key  # noqa: PLC0415 - an extra

    key = open_token_key(settings(token), token)
    wrapped = key.wrap(b"k" * 32, about="one")
    assert key.unwrap(wrapped, about="one") == b"k" * 32
    assert key.name.startswith("pkcs11:")
    for data, about in ((wrapped, "other"), (wrapped[:-1] + bytes([wrapped[-1] ^ 1]), "one"), (b"short", "one")):
        with pytest.raises(UnwrapError):
            key.unwrap(data, about=about)


@pytest.mark.parametrize(
    "other", [{"key_label": "none"}, {"token_label": "none"}, {"pin_file": "none"}, {"module": "/nowhere.so"}]
)
def test_a_token_that_can_not_be_used_is_said_plainly(token: Path, other: dict[str, str]) -> None:
    """A wrong module, token, key or PIN file keeps the exchange from starting, in both languages, without the PIN."""
    from gateway.sealing.token import open_token_key  # noqa: PLC0415 - an extra

    with pytest.raises(KeyEncryptionKeyError) as refused:
        open_token_key(settings(token, **other), token)
    assert refused.value.reason.fr != refused.value.reason.en
    assert PIN not in str(refused.value)
