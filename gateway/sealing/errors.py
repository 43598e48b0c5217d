"""Why sealed content, or the keys it is sealed under, can't be had. No error carries a key or a byte of content."""

from __future__ import annotations

from schemas.bilingual import Bilingual


class SealingError(Exception):
    """Content can't be sealed or opened; ``reason`` says why, and what to do where there is something to do."""

    def __init__(self, reason: Bilingual) -> None:
        super().__init__(reason.en)
        self.reason = reason


class KeyEncryptionKeyError(SealingError):
    """The key-encryption key can't be had, or is another one."""


class KeyFolderError(SealingError):
    """The folder of the keys that wrap can't be used."""


class KeyLostError(SealingError):
    """A key of that folder is not there, or damaged: what is under it can't be read, and all else can."""


class KeyTooLateError(SealingError):
    """A day's key is asked for on that day or later: it may have been destroyed, and is never made again."""


class ContentErasedError(SealingError):
    """The content was erased: nobody can read it any more, the exchange least of all."""


class ContentUnreadableError(SealingError):
    """The content is there, and the key to it is lost or damaged, or it was altered."""
