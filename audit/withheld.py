"""What an entry withholds: members that name somebody, kept beside the entry, each behind a salt of its own.

The log commits to an entry for ever, and whatever stands in it stands there for as long. So the members that
``audit.kinds.KINDS`` names as withheld are no part of it: in their place ``_sd`` lists their digests, each over a
disclosure, as an SD-JWT does (RFC 9901 sections 4.2.1, 4.2.3 and 4.2.4.1). The disclosures are kept beside the entry,
sealed, by a ``Keeper``; when the key that they are sealed under ends, salts and words are gone together, and nothing in
the log confirms a guess of them. The entry, its commitment and every proof stay as they are.

Entries of before have these members in the clear, and no ``_sd``: whoever reads takes both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

from audit.errors import DisclosureError
from schemas.bilingual import Bilingual
from schemas.signing.disclosures import HIDDEN, Disclosure, MalformedDisclosureError, read_disclosure, write_disclosure

Withheld = Mapping[str, tuple[str, ...]]
"""Which members are withheld, by the member of the content that has them; the content's own are under ``""``."""

_PARTS: Final = b"~"
"""Between disclosures, as an SD-JWT has it (section 4): no base64url has this character."""


class Keeper(Protocol):
    """Whoever keeps what entries withhold for as long as somebody may read it."""

    def keep(self, disclosures: bytes, *, entry: bytes) -> bytes:
        """Return them as they are stored; they open for ``entry``, the commitment of their own, and no other."""
        ...


def withhold(
    content: Mapping[str, Any], names: Withheld, *, randomness: Callable[[int], bytes]
) -> tuple[Mapping[str, Any], bytes]:
    """Return a content as the log commits to it, and the disclosures that were left out; none, no bytes."""
    texts: list[bytes] = []
    kept = _without(content, names.get("", ()), texts, randomness)
    for parent, members in names.items():
        if parent and parent in content:
            kept = {**kept, parent: _without(content[parent], members, texts, randomness)}
    return kept, _PARTS.join(texts)


def texts_of(disclosures: bytes) -> tuple[str, ...]:
    """Return what a keeper was given to keep, each by itself."""
    return tuple(disclosures.decode("ascii").split(_PARTS.decode())) if disclosures else ()


def disclose(content: Mapping[str, Any], texts: Iterable[str]) -> dict[str, Any]:
    """Return a content with what disclosures say of it in its place; ``_sd`` stays for what none of them discloses.

    Raises ``DisclosureError`` unless each answers to one digest that the content lists, and to no member that it has.
    """
    found: dict[str, Disclosure] = {}
    for text in texts:
        try:
            disclosure = read_disclosure(text.encode("ascii"))
        except (MalformedDisclosureError, UnicodeEncodeError):
            raise DisclosureError(_NOT_DISCLOSED) from None
        if found.setdefault(disclosure.digest, disclosure) is not disclosure:
            raise DisclosureError(_NOT_DISCLOSED)
    whole = {
        name: _filled(member, found) if isinstance(member, dict) and HIDDEN in member else member
        for name, member in content.items()
    }
    whole = _filled(whole, found)
    if found:
        raise DisclosureError(_NOT_DISCLOSED)
    return whole


def said_in(texts: Iterable[str]) -> dict[str, Any]:
    """Return the members that disclosures have, by their names. Raises ``DisclosureError``."""
    try:
        read = [read_disclosure(text.encode("ascii")) for text in texts]
    except (MalformedDisclosureError, UnicodeEncodeError):
        raise DisclosureError(_NOT_DISCLOSED) from None
    return {str(each.name): each.value for each in read}


def withholds(content: Mapping[str, Any]) -> bool:
    """Say whether a content lacks something that is, or was, kept beside its entry."""
    return HIDDEN in content or any(isinstance(member, dict) and HIDDEN in member for member in content.values())


def _without(
    members: Mapping[str, Any], names: Sequence[str], texts: list[bytes], randomness: Callable[[int], bytes]
) -> Mapping[str, Any]:
    """Return members without some, and add the disclosures of these."""
    hidden = [write_disclosure(name, members[name], randomness=randomness) for name in names if name in members]
    if not hidden:
        return members
    texts += [each.text for each in hidden]
    kept = {name: member for name, member in members.items() if name not in names}
    return {**kept, HIDDEN: sorted(each.digest for each in hidden)}


def _filled(members: Mapping[str, Any], found: dict[str, Disclosure]) -> dict[str, Any]:
    """Return members with those in place that disclosures have, which are taken out of ``found``."""
    whole = {name: member for name, member in members.items() if name != HIDDEN}
    rest = []
    for digest in members.get(HIDDEN, ()):
        if (disclosure := found.pop(digest, None)) is None:
            rest.append(digest)
        elif disclosure.name is None or disclosure.name in whole:
            raise DisclosureError(_NOT_DISCLOSED)
        else:
            whole[disclosure.name] = disclosure.value
    return {**whole, HIDDEN: rest} if rest else whole


_NOT_DISCLOSED: Final = Bilingual(
    fr="Ce qui est donné pour une partie de l'inscription n'en est pas : aucune empreinte de l'inscription n'y répond.",
    en="What is given as a part of the entry is none: no digest in the entry answers to it.",
)
