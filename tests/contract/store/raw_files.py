"""Looking for words in raw files, in every spelling in which a program may have left them there."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path


def spellings(words: Iterable[str]) -> dict[str, bytes]:
    """Return the bytes that tell of words: plain, escaped, in UTF-16, hexadecimal, and within base64 at any place."""
    found: dict[str, bytes] = {}
    for word in words:
        plain = word.encode()
        found |= {
            f"{word} plain": plain,
            f"{word} escaped": json.dumps(word)[1:-1].encode(),
            f"{word} UTF-16LE": word.encode("utf-16-le"),
            f"{word} UTF-16BE": word.encode("utf-16-be"),
            f"{word} hex": plain.hex().encode(),
        }
        for shift in range(3):
            found |= {f"{word} base64 {shift} {name}": text for name, text in _within_base64(plain, shift)}
    return found


def _within_base64(plain: bytes, shift: int) -> Iterator[tuple[str, bytes]]:
    """Yield what base64 has of bytes that begin ``shift`` bytes after a group of three, without its uncertain ends."""
    first, last = (0, 2, 3)[shift], -1 if (shift + len(plain)) % 3 else None
    for name, encode in (("url", base64.urlsafe_b64encode), ("plain", base64.b64encode)):
        text = encode(bytes(shift) + plain).rstrip(b"=")
        yield name, text[first:last]


def found_in(folders: Iterable[Path], needles: Mapping[str, bytes]) -> dict[str, set[str]]:
    """Return in which files below some folders, or in which of the files given, which spellings stand."""
    found: dict[str, set[str]] = {}
    for folder in folders:
        for path in [folder] if folder.is_file() else sorted(folder.rglob("*")):
            try:
                content = path.read_bytes() if path.is_file() else b""
            except FileNotFoundError:  # a server removes files of its own at any time
                continue
            hits = {name for name, needle in needles.items() if needle in content}
            if hits:
                found[str(path)] = hits
    return found
