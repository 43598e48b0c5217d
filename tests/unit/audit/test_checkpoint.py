"""The text of checkpoints (C2SP tlog-checkpoint), and the file that remembers the last one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.checkpoints import CheckpointBody, PublishedState
from audit.errors import MalformedCheckpointError
from audit.merkle import EMPTY_ROOT, Frontier
from audit.note import Verifier, open_note
from audit.recheck import require_roots, require_tile
from audit.tiles import split_hashes
from tests.unit.audit.naive_tree import NaiveTree
from tests.unit.audit.tessera import VKEY, split_bundle

LINES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1)
GOOD = CheckpointBody(origin="exchange.example/log", size=7, root=EMPTY_ROOT)


def _note(size: int, *, extensions: tuple[str, ...] = ()) -> bytes:
    """Return a note as it is remembered; nobody has signed it."""
    return f"{replace(GOOD, size=size, extensions=extensions).text}\n".encode()


@given(LINES, st.integers(min_value=0, max_value=10**18 - 1), st.binary(min_size=32, max_size=32), st.lists(LINES))
def test_a_body_reads_back(origin: str, size: int, root: bytes, extensions: list[str]) -> None:
    """Origin, size, root and whatever lines follow are read as they were written."""
    body = CheckpointBody(origin=origin, size=size, root=root, extensions=tuple(extensions))
    assert CheckpointBody.parse(body.text) == body


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n\n",
        GOOD.text.removesuffix("\n"),
        GOOD.text + "\n",
        GOOD.text.replace("exchange.example/log", ""),
        GOOD.text.replace("\n7\n", "\n07\n"),
        GOOD.text.replace("\n7\n", "\n-7\n"),
        GOOD.text.replace("\n7\n", "\n+7\n"),
        GOOD.text.replace("\n7\n", "\n7 \n"),
        GOOD.text.replace("\n7\n", "\n\n"),
        GOOD.text.replace("\n7\n", "\n\N{ARABIC-INDIC DIGIT SEVEN}\n"),
        GOOD.text.replace("\n7\n", f"\n{10**18}\n"),
        GOOD.text.replace("FU=\n", "FV=\n"),
        GOOD.text.replace("=\n", "\n"),
        GOOD.text.replace("47DE", ""),
        GOOD.text.replace("47DE", "47D_"),
        GOOD.text + "extension\n\nanother\n",
        "\n".join(GOOD.text.split("\n")[:2]) + "\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    """A text that no checkpoint would have, down to the unused bits of its root's base64, is refused."""
    with pytest.raises(MalformedCheckpointError):
        CheckpointBody.parse(text)


def test_tesseras_log_has_the_roots_that_its_checkpoints_claim(shared_data: Path) -> None:
    """Grown from its entry bundle, tessera's log has its partial tiles and all sixteen published roots."""
    log = shared_data / "conf-tlog" / "tessera" / "log"
    verifier = Verifier.from_vkey(VKEY)
    notes = [*(log / f"checkpoint.{size}" for size in range(15)), log / "checkpoint"]
    claims = [CheckpointBody.parse(open_note(note.read_bytes(), verifier)) for note in notes]
    assert [claim.size for claim in claims] == list(range(16))
    entries = split_bundle((log / "tile" / "entries" / "000.p" / "15").read_bytes())
    naive, frontier = NaiveTree(entries), Frontier()
    for claim in claims:
        assert frontier.root() == naive.root(claim.size) == claim.root
        if claim.size < len(entries):
            frontier.append(naive.hash(claim.size, claim.size + 1))
    leaves = [naive.hash(index, index + 1) for index in range(15)]
    require_roots(Frontier(), leaves, [], {claim.size: claim.root for claim in claims})
    for width in range(1, 16):
        tile = (log / "tile" / "0" / "000.p" / str(width)).read_bytes()
        assert split_hashes(tile) == leaves[:width]
        require_tile(tile, b"".join(leaves[:width]), level=0, tile=0)


def test_published_state_remembers_the_last_note(tmp_path: Path) -> None:
    """Nothing before the first note, then always the last one, also for another reader; no copy stays behind."""
    state = PublishedState(tmp_path / "published")
    assert state.read() is None
    for note in (_note(7, extensions=("longer",)), _note(8)):
        assert state.write(note)
        assert state.read() == PublishedState(tmp_path / "published").read() == note
    assert sorted(path.name for path in tmp_path.iterdir()) == [".published.lock", "published"]


def test_a_write_that_was_cut_off_leaves_the_last_note(tmp_path: Path) -> None:
    """What a crash left of an unfinished write is neither read nor in the way of the next."""
    state = PublishedState(tmp_path / "published")
    state.write(_note(7))
    (tmp_path / ".published.0123456789abcdef").write_bytes(b"ha")
    assert state.read() == _note(7)
    state.write(_note(8))
    assert state.read() == _note(8)


def test_a_note_that_can_not_be_remembered_is_an_error(tmp_path: Path) -> None:
    """Where the folder is missing, the write says so instead of going on."""
    with pytest.raises(OSError, match="No such file"):
        PublishedState(tmp_path / "absent" / "published").write(b"note\n")
