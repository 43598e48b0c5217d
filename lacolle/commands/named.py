"""How an alert is called in words: its sender and identifier, for as long as that is kept."""

from __future__ import annotations

from schemas.bilingual import Bilingual


def called(sender: str, identifier: str | None, *more: str) -> Bilingual:
    """Return an alert's name, ``more`` in brackets after it; of one whose content was erased, that it was."""
    after = f" ({', '.join(more)})" if more else ""
    if identifier is not None:
        return Bilingual(fr=f"{sender} {identifier}{after}", en=f"{sender} {identifier}{after}")
    return Bilingual(fr=f"{sender}, identifiant effacé{after}", en=f"{sender}, identifier erased{after}")
