"""Holding a log against itself: the pure half of verification. ``audit.verify`` fetches, this compares.

Every function raises ``LogVerificationError`` at the first thing that is not as the entries say.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from audit.checkpoints import CheckpointBody
from audit.entry import read_entry
from audit.errors import AuditError, LogVerificationError, MalformedEntryError, Subject
from audit.growth import FullTile
from audit.merkle import HASH_SIZE, Frontier, leaf_hash
from audit.note import Verifier, open_note
from audit.tiles import TILE_HEIGHT, TILE_WIDTH
from schemas.bilingual import Bilingual

_LENGTH_SIZE: Final = 2


def leaves_of_rows(rows: Iterable[Sequence[Any]], parties: Sequence[str], first: int) -> list[bytes]:
    """Recompute the leaf hashes of entries as they are stored, from index ``first`` on.

    A row is index, kind, time, actor, alert, agreement, salt, content, commitment; ``parties`` are each entry's
    jurisdictions as ``parties_text`` writes them. Columns and parties agree with the entry where its canonical bytes
    frame the content with just what they say.
    """
    sha256 = hashlib.sha256
    leaves = []
    same, before = (None, None, None), _beginning(None, None, None)
    for expected, row in enumerate(rows, first):
        index, kind, time, actor, alert_id, agreement, salt, content, committed = row
        if index != expected:
            raise LogVerificationError(Subject.ENTRY, _MISSING, index=expected)
        try:
            commitment = sha256(salt + content).digest()
        except TypeError:  # SQLite keeps a value of any type in any column
            raise LogVerificationError(Subject.ENTRY, UNREADABLE, index=index) from None
        if commitment != committed:
            raise LogVerificationError(Subject.ENTRY, _UNCOMMITTED, index=index)
        if (about := (actor, agreement, alert_id)) != same:  # an alert's entries often stand together
            same, before = about, _beginning(*about)
        after = f'}},"index":{index},"jurisdictions":[{parties[index - first]}],"kind":"{kind}","time":"{time}"}}'
        if not (content.startswith(before) and content.endswith(after.encode())):
            raise LogVerificationError(*_disagreement(content, parties[index - first]), index=index)
        leaves.append(leaf_hash(commitment))
    if len(leaves) < len(parties):
        raise LogVerificationError(Subject.ENTRY, _MISSING, index=first + len(leaves))
    return leaves


def leaves_of_bundle(bundle: bytes, *, width: int, first: int) -> list[bytes]:
    """Recompute the leaf hashes of a public entry bundle of ``width`` entries, from index ``first`` on."""
    size = _LENGTH_SIZE + HASH_SIZE
    length = HASH_SIZE.to_bytes(_LENGTH_SIZE, "big")
    leaves = []
    for at in range(width):
        entry = bundle[at * size : (at + 1) * size]
        if len(entry) != size or not entry.startswith(length):
            raise LogVerificationError(Subject.ENTRY, _NOT_COMMITMENTS, index=first + at)
        leaves.append(leaf_hash(entry[_LENGTH_SIZE:]))
    if len(bundle) != width * size:
        raise LogVerificationError(Subject.ENTRY, _NOT_COMMITMENTS, index=first + width)
    return leaves


def parties_text(indexes: Mapping[str, Iterable[int]], *, first: int, count: int) -> list[str]:
    """Return, for each of ``count`` entries from ``first`` on, its jurisdictions as JSON writes them in a list.

    ``indexes`` are the entries of each jurisdiction, in any order.
    """
    names = sorted(indexes)
    among = [0] * count  # a bit for each jurisdiction: many entries have the same ones
    for place, name in enumerate(names):
        bit = 1 << place
        for index in indexes[name]:
            among[index - first] |= bit
    texts = {
        bits: ",".join(_json(name) for place, name in enumerate(names) if bits >> place & 1) for bits in set(among)
    }
    return [texts[bits] for bits in among]


def require_roots(
    edge: Frontier, leaves: Sequence[bytes], tiles: Iterable[FullTile], roots: Mapping[int, bytes]
) -> None:
    """Compare the roots that checkpoints claim, by size, with the tree; its parts are as ``roots_within`` says."""
    for size, root in roots_within(edge, leaves, tiles, roots.keys()):
        if root != roots[size]:
            raise LogVerificationError(Subject.CHECKPOINT, OTHER_ROOT, index=size)


def roots_within(
    edge: Frontier, leaves: Sequence[bytes], tiles: Iterable[FullTile], sizes: Collection[int]
) -> list[tuple[int, bytes]]:
    """Return the roots of the trees of some sizes that ``leaves`` grow from ``edge`` on, with these sizes, rising.

    ``edge`` is of whole tiles, and is used up; ``tiles`` are those that the leaves have filled.
    """
    if not sizes:
        return []
    filled = {tile.index: tile.root for tile in tiles if tile.level == 0}
    roots = list[tuple[int, bytes]]()
    for at in range(0, len(leaves), TILE_WIDTH):
        tile = leaves[at : at + TILE_WIDTH]
        if any(edge.size < size <= edge.size + len(tile) for size in sizes):
            roots += _roots_of_tile(edge.copy(), tile, sizes)
        if len(tile) == TILE_WIDTH:
            edge.append(filled[edge.size // TILE_WIDTH], level=TILE_HEIGHT)
    return roots


def _roots_of_tile(edge: Frontier, leaves: Iterable[bytes], sizes: Collection[int]) -> Iterator[tuple[int, bytes]]:
    for leaf in leaves:
        edge.append(leaf)
        if edge.size in sizes:
            yield edge.size, edge.root()


def require_tile(found: bytes | None, expected: bytes, *, level: int, tile: int) -> None:
    """Compare a tile with the hashes that it must hold; ``None`` is one that is not there."""
    if found is None:
        raise LogVerificationError(Subject.TILE, _NO_TILE, level=level, tile=tile)
    if found == expected:
        return
    ends = range(HASH_SIZE, len(expected) + 1, HASH_SIZE)
    same = sum(found[:end] == expected[:end] for end in ends)
    index = tile * TILE_WIDTH + same if level == 0 else None
    raise LogVerificationError(Subject.TILE, _OTHER_TILE, level=level, tile=tile, index=index)


def claim_of_note(note: bytes, verifier: Verifier, *, size: int | None = None) -> CheckpointBody:
    """Return what a checkpoint of the log claims; ``size`` is under which it is kept, to name it by."""
    try:
        body = CheckpointBody.parse(open_note(note, verifier))
    except AuditError as error:
        raise LogVerificationError(Subject.CHECKPOINT, error.reason, index=size) from error
    if body.origin != verifier.name:
        raise LogVerificationError(Subject.CHECKPOINT, _OTHER_ORIGIN, index=size)
    return body


def _json(value: object) -> str:
    return "null" if value is None else f'"{value}"'


def _beginning(actor: object, agreement: object, alert_id: object) -> bytes:
    text = f'{{"actor":{_json(actor)},"agreement":{_json(agreement)},"alert_id":{_json(alert_id)},"content":{{'
    return text.encode()


def _disagreement(content: bytes, parties: str) -> tuple[Subject, Bilingual]:
    try:
        named = read_entry(content).jurisdictions
    except MalformedEntryError:
        return Subject.ENTRY, _COLUMNS
    as_named = parties == ",".join(map(_json, named))
    return (Subject.ENTRY, _COLUMNS) if as_named else (Subject.PARTIES, _PARTIES)


UNREADABLE: Final = Bilingual(
    fr="La base de données ne rend pas cette donnée sous la forme où elle y a été inscrite.",
    en="The database does not give this back in the form in which it was written.",
)
OTHER_ROOT: Final = Bilingual(
    fr="Les inscriptions ne donnent pas la racine que ce point de contrôle affirme.",
    en="The entries do not have the root that this checkpoint claims.",
)
_MISSING: Final = Bilingual(
    fr="L'inscription manque : la numérotation du journal a un trou.",
    en="The entry is missing: the log's index has a gap.",
)
_UNCOMMITTED: Final = Bilingual(
    fr="Le contenu et le sel de l'inscription ne donnent pas l'engagement inscrit.",
    en="The entry's content and salt do not give the commitment that is stored with them.",
)
_COLUMNS: Final = Bilingual(
    fr="Les colonnes de l'inscription ne disent pas ce que dit son contenu.",
    en="The entry's columns do not say what its content says.",
)
_PARTIES: Final = Bilingual(
    fr="Les parties de l'inscription ne sont pas celles que nomme son contenu.",
    en="The entry's parties are not those that its content names.",
)
_NOT_COMMITMENTS: Final = Bilingual(
    fr="Le paquet d'inscriptions n'est pas une suite d'engagements de 32 octets.",
    en="The entry bundle is not a sequence of 32-byte commitments.",
)
_NO_TILE: Final = Bilingual(fr="La tuile manque.", en="The tile is missing.")
_OTHER_TILE: Final = Bilingual(
    fr="La tuile ne contient pas les empreintes que donnent les inscriptions.",
    en="The tile does not hold the hashes that the entries give.",
)
_OTHER_ORIGIN: Final = Bilingual(
    fr="Le point de contrôle est celui d'un autre journal.",
    en="The checkpoint is that of another log.",
)
