"""Signing a document so that parts of it can be left out later: the issuer's side of RFC 9901 (section 4)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from schemas.pointers import Place, places
from schemas.signing import base64url
from schemas.signing.canonical import canonical_bytes
from schemas.signing.disclosures import ELEMENT, HASH, HIDDEN, RESERVED, Disclosure, write_disclosure
from schemas.signing.jws import ALERT_SD_JWT, sign_compact
from schemas.signing.keys import SigningKey
from schemas.signing.sd_jwt import MOST_DISCLOSURES
from schemas.signing.strict_json import JsonValue

Randomness = Callable[[int], bytes]


def issue(
    document: dict[str, JsonValue],
    *,
    disclosable: Iterable[str],
    key: SigningKey,
    iat: int,
    randomness: Randomness,
    decoys: int = 0,
) -> bytes:
    """Return a document signed as an SD-JWT, with a disclosure for every place that a pattern of ``disclosable`` names.

    A place below another has a disclosure within a disclosure (section 6.3): whoever is refused the outer is refused
    both. ``iat`` is in seconds since 1970; ``randomness`` gives as many bytes as it is asked; ``decoys`` is how many
    digests of nothing each object with hidden members gets besides (section 4.2.5). Raises ``ValueError`` for a
    document that uses a reserved name, for more than ``MOST_DISCLOSURES``, and as ``jws.sign_compact``.
    """
    named = {place for pattern in disclosable for place in places(document, pattern)}
    if () in named:
        raise ValueError("the whole document can't be a disclosure")
    folding = _Folding(named, randomness, decoys)
    payload = folding.folded_object(document, ())
    if len(folding.disclosures) > MOST_DISCLOSURES:
        raise ValueError("this would be more disclosures than a reader takes")
    jws = sign_compact(canonical_bytes({**payload, HASH: "sha-256"}), key=key, profile=ALERT_SD_JWT, iat=iat)
    return b"~".join((jws, *(each.text for each in folding.disclosures), b""))


class _Folding:
    """One walk over a document that puts digests where disclosures were taken out."""

    def __init__(self, named: set[Place], randomness: Randomness, decoys: int) -> None:
        self.named = named
        self.randomness = randomness
        self.decoys = decoys
        self.disclosures: list[Disclosure] = []

    def folded_object(self, value: dict[str, JsonValue], place: Place) -> dict[str, JsonValue]:
        """Return an object with the digests of its hidden members, sorted so that they tell no order."""
        if RESERVED & value.keys():
            raise ValueError("this name means something to an SD-JWT")
        shown: dict[str, JsonValue] = {}
        digests: list[str] = []
        for name, member in value.items():
            at = (*place, name)
            folded = self._folded(member, at)
            if at in self.named:
                digests.append(self._disclosed(name, folded))
            else:
                shown[name] = folded
        if digests:
            digests += [base64url.encode(self.randomness(_DIGEST_BYTES)).decode() for _ in range(self.decoys)]
            shown[HIDDEN] = [*sorted(digests)]
        return shown

    def _folded(self, value: JsonValue, place: Place) -> JsonValue:
        match value:
            case dict():
                return self.folded_object(value, place)
            case list():
                return [self._folded_item(item, (*place, position)) for position, item in enumerate(value)]
            case _:
                return value

    def _folded_item(self, item: JsonValue, place: Place) -> JsonValue:
        folded = self._folded(item, place)
        return {ELEMENT: self._disclosed(None, folded)} if place in self.named else folded

    def _disclosed(self, name: str | None, value: JsonValue) -> str:
        disclosure = write_disclosure(name, value, randomness=self.randomness)
        self.disclosures.append(disclosure)
        return disclosure.digest


_DIGEST_BYTES: Final = 32
