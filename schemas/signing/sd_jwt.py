"""SD-JWTs as this exchange takes them: alerts of which parts can be left out under the agency's own signature.

RFC 9901 in its compact serialisation, ``<JWS>~<disclosure>~…~<disclosure>~``, narrowed: the JWS is one of the profile
``ALERT_SD_JWT``, the hash is SHA-256, no key binding, no JSON serialisation. Section 7.1 is followed to the letter and
everything it leaves open is refused: a digest that stands twice, a disclosure that no digest names, a reserved name.

Reading is not trusting: ``read_sd_jwt`` returns what nobody has vouched for, and ``verify_sd_jwt`` alone gives out the
document.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from schemas.bilingual import Bilingual
from schemas.pointers import Place, leaves, places, value_at
from schemas.signing import base64url
from schemas.signing.disclosures import (
    ELEMENT,
    HASH,
    HIDDEN,
    Disclosure,
    MalformedDisclosureError,
    read_disclosure,
)
from schemas.signing.jws import (
    ALERT_SD_JWT,
    MalformedJwsError,
    Unverified,
    read_compact,
    verify,
)
from schemas.signing.keys import PublicKey
from schemas.signing.strict_json import JsonError, JsonValue, parse_json

MOST_DISCLOSURES: Final = 4_096
"""How many disclosures one SD-JWT may have."""

MOST_DEPTH: Final = 32
"""How deep the document may be nested once its disclosures are in place."""


class MalformedSdJwtError(MalformedJwsError):
    """The bytes are not an SD-JWT of this exchange; ``reason`` says why without repeating any of them."""


class NotSeparableError(Exception):
    """What is to be left out is under the signature itself; ``pointers`` says which places no disclosure holds."""

    def __init__(self, pointers: tuple[str, ...]) -> None:
        super().__init__("no disclosure holds these places, nor one that encloses them")
        self.pointers = pointers


@dataclass(frozen=True, slots=True)
class UnverifiedSdJwt:
    """A JWS and well-formed disclosures, of which nothing is known yet to belong together."""

    jws: Unverified
    disclosures: tuple[Disclosure, ...]


@dataclass(frozen=True, slots=True)
class Placed:
    """A disclosure, the place in the document that it fills, and the position of the one that holds its digest.

    ``parent`` is a position among the disclosures, None where the signed payload itself holds the digest.
    """

    disclosure: Disclosure
    place: Place
    parent: int | None


@dataclass(frozen=True, slots=True)
class SdJwt:
    """A verified SD-JWT: the JWS as received, the document that it discloses, and where each disclosure went.

    ``undisclosed`` is how many digests no disclosure answers to: what was left out, and decoys.
    """

    issued: bytes
    document: JsonValue
    placed: tuple[Placed, ...]
    undisclosed: int


def read_sd_jwt(data: bytes) -> UnverifiedSdJwt:
    """Return the parts of an SD-JWT (RFC 9901 section 4), none of them verified.

    Raises ``MalformedJwsError`` for a JWS that the profile does not allow, ``MalformedSdJwtError`` for more than
    ``MOST_DISCLOSURES``, a disclosure that is none or stands twice, a key-binding JWT, anything after the last ``~``.
    """
    jws, *texts = data.split(b"~", MOST_DISCLOSURES + 2)
    if len(texts) > MOST_DISCLOSURES + 1:
        raise MalformedSdJwtError(_TOO_MANY)
    if not texts or texts[-1]:
        raise MalformedSdJwtError(_NOT_AN_SD_JWT)
    if sum(map(len, texts)) > ALERT_SD_JWT.max_payload:
        raise MalformedSdJwtError(_TOO_LONG)
    return UnverifiedSdJwt(read_compact(jws, ALERT_SD_JWT), read_disclosures(texts[:-1]))


def read_disclosures(texts: Sequence[bytes]) -> tuple[Disclosure, ...]:
    """Return the disclosures that texts are. Raises ``MalformedSdJwtError`` where one is none, or stands twice."""
    try:
        read = tuple(read_disclosure(text) for text in texts)
    except MalformedDisclosureError as error:
        raise MalformedSdJwtError(error.reason) from None
    if len({one.digest for one in read}) < len(read):
        raise MalformedSdJwtError(_TWICE)
    return read


def verify_sd_jwt(unverified: UnverifiedSdJwt, key: PublicKey | None) -> SdJwt:
    """Return what an SD-JWT discloses, now that ``key`` has been found to have signed it (RFC 9901 section 7.1).

    Raises ``SignatureNotTrustedError`` as ``jws.verify``, and ``MalformedSdJwtError`` where payload and disclosures do
    not make one document.
    """
    payload = verify(unverified.jws, key)
    document, placed, undisclosed = assemble(payload, unverified.disclosures)
    return SdJwt(unverified.jws.compact, document, placed, undisclosed)


def assemble(payload: bytes, disclosures: Sequence[Disclosure]) -> tuple[JsonValue, tuple[Placed, ...], int]:
    """Return a payload with its disclosures in place, where each went, and how many digests none answers to.

    Section 7.1, step 3 on. Raises ``MalformedSdJwtError``.
    """
    try:
        signed = parse_json(payload, max_depth=MOST_DEPTH)
    except JsonError as error:
        raise MalformedSdJwtError(error.reason) from None
    if not isinstance(signed, dict):
        raise MalformedSdJwtError(_NOT_AN_OBJECT)
    if signed.pop(HASH, "sha-256") != "sha-256":
        raise MalformedSdJwtError(_BAD_HASH)
    assembly = _Assembly(disclosures)
    document = assembly.filled(signed, (), None)
    if len(assembly.placed) < len(disclosures):
        raise MalformedSdJwtError(_UNREFERENCED)
    placed = tuple(assembly.placed[position] for position in range(len(disclosures)))
    return document, placed, len(assembly.seen) - len(placed)


def beside_the_document(unverified: UnverifiedSdJwt) -> Iterator[str]:
    """Yield what an SD-JWT says besides its document: its salts, and the bytes of digests that nothing answers to.

    Both are to be random, and whoever signs may have written anything in them. Bytes are read as Latin-1. Raises as
    ``verify_sd_jwt``.
    """
    answered = {each.digest for each in unverified.disclosures}
    for each in unverified.disclosures:
        yield each.salt
    for value in (
        parse_json(unverified.jws.payload, max_depth=MOST_DEPTH),
        *(each.value for each in unverified.disclosures),
    ):
        for digest in _digests(value):
            if digest not in answered:
                yield base64url.decode(digest.encode()).decode("latin-1")


def _digests(value: JsonValue) -> Iterator[str]:
    match value:
        case dict():
            for name, member in value.items():
                if name in (HIDDEN, ELEMENT):
                    yield from (digest for _, digest in leaves(member) if isinstance(digest, str))
                else:
                    yield from _digests(member)
        case list():
            for item in value:
                yield from _digests(item)
        case _:
            pass


def present(sd_jwt: SdJwt, withheld: Iterable[str]) -> bytes:
    """Return the SD-JWT without what pointers name, the agency's signature and all other disclosures untouched.

    What a disclosure of its own fills is left out by itself. Where only what is below it has disclosures, and they
    leave nothing, these go; else the nearest disclosure that encloses it goes. Raises ``NotSeparableError`` where none
    does, and nothing may be sent then.
    """
    dropped: set[int] = set()
    stuck = []
    by_place = {each.place: position for position, each in enumerate(sd_jwt.placed)}
    for pointer in withheld:
        found = _holding(sd_jwt.document, pointer, by_place)
        if found is None:
            stuck.append(pointer)
        else:
            dropped |= found
    if stuck:
        raise NotSeparableError(tuple(stuck))
    kept = [each.disclosure.text for position, each in enumerate(sd_jwt.placed) if not _gone(sd_jwt, position, dropped)]
    return b"~".join((sd_jwt.issued, *kept, b""))


def _holding(document: JsonValue, pointer: str, by_place: dict[Place, int]) -> set[int] | None:
    """Return the disclosures without which nothing of what a pointer names is left; None where there are none."""
    found = list(places(document, pointer))
    if len(found) != 1:
        return None
    place = found[0]
    if place in by_place:
        return {by_place[place]}
    scalars = [leaf for leaf, _ in leaves(value_at(document, place), place)]
    below = [_nearest(leaf, by_place, least=len(place) + 1) for leaf in scalars]
    if below and None not in below:
        return {position for position in below if position is not None}
    enclosing = _nearest(place, by_place, least=1)
    return None if enclosing is None else {enclosing}


def _nearest(place: Place, by_place: dict[Place, int], *, least: int) -> int | None:
    for length in range(len(place), least - 1, -1):
        if place[:length] in by_place:
            return by_place[place[:length]]
    return None


def _gone(sd_jwt: SdJwt, position: int, dropped: set[int]) -> bool:
    at: int | None = position
    while at is not None:
        if at in dropped:
            return True
        at = sd_jwt.placed[at].parent
    return False


class _Assembly:
    """One walk over payload and disclosures; every digest may be met once, every disclosure must be."""

    def __init__(self, disclosures: Sequence[Disclosure]) -> None:
        self.by_digest = {each.digest: position for position, each in enumerate(disclosures)}
        self.disclosures = disclosures
        self.placed: dict[int, Placed] = {}
        self.seen: set[str] = set()

    def filled(self, value: JsonValue, place: Place, parent: int | None) -> JsonValue:
        """Return a value with all that its digests name in place."""
        if len(place) > MOST_DEPTH:
            raise MalformedSdJwtError(_TOO_DEEP)
        match value:
            case dict():
                return self._object(value, place, parent)
            case list():
                return self._array(value, place, parent)
            case _:
                return value

    def _object(self, value: dict[str, JsonValue], place: Place, parent: int | None) -> JsonValue:
        if ELEMENT in value or HASH in value:
            raise MalformedSdJwtError(_RESERVED)
        whole = {name: self.filled(member, (*place, name), parent) for name, member in value.items() if name != HIDDEN}
        for position in self._named(value.get(HIDDEN, [])):
            name = self.disclosures[position].name
            if name is None:
                raise MalformedSdJwtError(_WRONG_KIND)
            if name in whole:
                raise MalformedSdJwtError(_COLLISION)
            whole[name] = self._place(position, (*place, name), parent)
        return whole

    def _array(self, value: list[JsonValue], place: Place, parent: int | None) -> JsonValue:
        whole: list[JsonValue] = []
        for item in value:
            if not isinstance(item, dict) or ELEMENT not in item:
                whole.append(self.filled(item, (*place, len(whole)), parent))
                continue
            if len(item) > 1:
                raise MalformedSdJwtError(_RESERVED)
            for position in self._named([item[ELEMENT]]):
                if self.disclosures[position].name is not None:
                    raise MalformedSdJwtError(_WRONG_KIND)
                whole.append(self._place(position, (*place, len(whole)), parent))
        return whole

    def _named(self, digests: JsonValue) -> list[int]:
        """Return the disclosures that digests name; a digest of something left out, or a decoy, names none."""
        if not isinstance(digests, list):
            raise MalformedSdJwtError(_BAD_DIGEST)
        found = []
        for digest in digests:
            if not isinstance(digest, str) or not _is_digest(digest):
                raise MalformedSdJwtError(_BAD_DIGEST)
            if digest in self.seen:
                raise MalformedSdJwtError(_TWICE)
            self.seen.add(digest)
            if digest in self.by_digest:
                found.append(self.by_digest[digest])
        return found

    def _place(self, position: int, place: Place, parent: int | None) -> JsonValue:
        disclosure = self.disclosures[position]
        self.placed[position] = Placed(disclosure, place, parent)
        return self.filled(disclosure.value, place, position)


_DIGEST_BYTES: Final = 32


def _is_digest(text: str) -> bool:
    try:
        return len(base64url.decode(text.encode())) == _DIGEST_BYTES
    except base64url.Base64UrlError:
        return False


_NOT_AN_SD_JWT: Final = Bilingual(
    fr="Il faut un SD-JWT compact, sans JWT de liaison de clé, dont le dernier caractère est « ~ ».",
    en='This must be a compact SD-JWT, without a key-binding JWT, whose last character is "~".',
)
_TOO_MANY: Final = Bilingual(
    fr=f"Un SD-JWT ne peut avoir plus de {MOST_DISCLOSURES} divulgations.",
    en=f"An SD-JWT can't have more than {MOST_DISCLOSURES} disclosures.",
)
_TOO_LONG: Final = Bilingual(fr="Les divulgations sont trop longues.", en="The disclosures are too long.")
_TOO_DEEP: Final = Bilingual(fr="Ce SD-JWT est imbriqué trop profondément.", en="This SD-JWT is nested too deeply.")
_NOT_AN_OBJECT: Final = Bilingual(
    fr="Le contenu d'un SD-JWT doit être un objet JSON.", en="The payload of an SD-JWT must be a JSON object."
)
_BAD_HASH: Final = Bilingual(
    fr="La fonction de hachage (_sd_alg) doit être sha-256.", en="The hash function (_sd_alg) must be sha-256."
)
_BAD_DIGEST: Final = Bilingual(
    fr="Une empreinte du SD-JWT n'est pas 32 octets en base64url canonique.",
    en="A digest of the SD-JWT is not 32 bytes in canonical base64url.",
)
_TWICE: Final = Bilingual(
    fr="Une empreinte ou une divulgation figure deux fois dans le SD-JWT.",
    en="A digest or a disclosure stands twice in the SD-JWT.",
)
_UNREFERENCED: Final = Bilingual(
    fr="Une divulgation ne correspond à aucune empreinte signée.", en="A disclosure answers to no signed digest."
)
_RESERVED: Final = Bilingual(
    fr="Un nom réservé aux SD-JWT figure là où il ne veut rien dire.",
    en="A name that is reserved to SD-JWTs stands where it means nothing.",
)
_WRONG_KIND: Final = Bilingual(
    fr="Une divulgation de membre tient la place d'un élément, ou l'inverse.",
    en="A member's disclosure stands for an element, or the reverse.",
)
_COLLISION: Final = Bilingual(
    fr="Une divulgation répète un membre que l'objet a déjà.", en="A disclosure repeats a member that its object has."
)
