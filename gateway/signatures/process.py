"""The process beside the gateway that verifies submissions and signs receipts; it does nothing else.

It is given two sockets, one for what is to be verified and one for what is to be signed, so that a receipt never waits
behind submissions; each has a thread, and the key to sign with comes first on its own. It ends when the gateway closes
them, which the gateway's own end does too, and as soon as either thread ends, however that came: half of it is no use.
A signal to the whole group of processes is the gateway's to answer.

On either socket, big-endian: a request is the length of a group in four bytes and then its items, each behind its own
length in four bytes. The answer has the same number of bytes for each item, and the order of the items.

    verify: the algorithm in a byte, the length of the key in a byte, the key, 64 bytes of signature, the message
            -> one byte, 1 where the signature holds, else 0
    sign:   the message -> 64 bytes of signature. The first request is the algorithm in a byte and the secret.
"""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import lru_cache
from threading import Thread
from typing import BinaryIO, Final

from schemas.signing.algorithms import SIGNATURE_BYTES, Algorithm, private_key, public_key, signer_of, verifier_of

ALGORITHMS: Final[tuple[Algorithm, ...]] = ("ES256", "Ed25519")
"""Each algorithm's byte is its place here."""
LENGTH_BYTES: Final = 4
KNOWN_KEYS: Final = 4_096


def group(items: Iterable[bytes]) -> bytes:
    """Return a request of these items."""
    framed = b"".join([part for item in items for part in (len(item).to_bytes(LENGTH_BYTES), item)])
    return len(framed).to_bytes(LENGTH_BYTES) + framed


def to_verify(alg: Algorithm, key: bytes, signature: bytes, message: bytes) -> bytes:
    """Return an item that asks for a signature of ``SIGNATURE_BYTES`` bytes to be verified."""
    return b"".join((bytes((ALGORITHMS.index(alg), len(key))), key, signature, message))


def _items(framed: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(framed):
        start = at + LENGTH_BYTES
        at = start + int.from_bytes(framed[at:start])
        yield framed[start:at]


def _groups(requests: BinaryIO) -> Iterator[bytes]:
    while head := requests.read(LENGTH_BYTES):
        yield requests.read(int.from_bytes(head))


def _verdict(item: bytes) -> bytes:
    key_end = 2 + item[1]
    message = key_end + SIGNATURE_BYTES
    holds = _verifier(item[0], item[2:key_end])
    return b"\x01" if holds(item[key_end:message], item[message:]) else b"\x00"


@lru_cache(maxsize=KNOWN_KEYS)
def _verifier(alg: int, key: bytes) -> Callable[[bytes, bytes], bool]:
    return verifier_of(public_key(ALGORITHMS[alg], key))


def _verify_all(channel: socket.socket) -> None:
    with channel, channel.makefile("rb") as requests:
        for framed in _groups(requests):
            channel.sendall(b"".join(map(_verdict, _items(framed))))


def _sign_all(channel: socket.socket) -> None:
    with channel, channel.makefile("rb") as requests:
        groups = _groups(requests)
        for first in groups:
            key = next(_items(first))
            sign = signer_of(private_key(ALGORITHMS[key[0]], key[1:]))
            for framed in groups:
                channel.sendall(b"".join(map(sign, _items(framed))))


def _until_either_ends(serve: Callable[[socket.socket], None], own: socket.socket, other: socket.socket) -> None:
    try:
        serve(own)
    finally:
        with suppress(OSError):  # it has ended itself
            other.shutdown(socket.SHUT_RDWR)


def main() -> None:
    """Serve the two sockets whose descriptors are the arguments, until they are closed."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    verifying, signing = (socket.socket(fileno=int(descriptor)) for descriptor in sys.argv[1:3])
    thread = Thread(target=_until_either_ends, args=(_sign_all, signing, verifying), daemon=True)
    thread.start()
    _until_either_ends(_verify_all, verifying, signing)
    thread.join()


if __name__ == "__main__":
    main()
