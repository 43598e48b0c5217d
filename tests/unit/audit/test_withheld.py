"""What entries withhold: the digests in their place, the disclosures beside them, and both put together again."""

from __future__ import annotations

import hashlib
import os
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.errors import DisclosureError
from audit.kinds import KINDS, Kind
from audit.withheld import disclose, said_in, texts_of, withhold, withholds
from schemas.signing import base64url

NAMES = {"": ("identifier", "payload_digest"), "filters": ("text",)}
CONTENT: dict[str, Any] = {
    "identifier": "SQ-2026-1",
    "payload_digest": "sha-256:00",
    "type": "a/b/v1",
    "filters": {"text": "tremblay", "kind": "accepted"},
}


def split(content: dict[str, Any] = CONTENT) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return what is left of a content, and its disclosures."""
    kept, disclosures = withhold(content, NAMES, randomness=os.urandom)
    return dict(kept), texts_of(disclosures)


def test_what_is_withheld_is_left_out_and_its_digests_are_listed() -> None:
    """Each withheld member is replaced by one digest of its disclosure, sorted, in the object that had it."""
    kept, texts = split()
    digests = {base64url.encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts}
    assert kept["_sd"] == sorted(kept["_sd"])
    assert {*kept["_sd"], *kept["filters"]["_sd"]} == digests
    assert (len(kept["_sd"]), len(kept["filters"]["_sd"])) == (2, 1)
    assert kept["type"] == "a/b/v1"
    assert kept["filters"]["kind"] == "accepted"
    assert not any(word in str(kept) for word in ("SQ-2026-1", "sha-256:00", "tremblay", "identifier"))
    assert withholds(kept)
    assert said_in(texts) == {"identifier": "SQ-2026-1", "payload_digest": "sha-256:00", "text": "tremblay"}


def test_nothing_withheld_leaves_a_content_as_it_is() -> None:
    """A content that has none of the members is committed to as it stands, with nothing beside it; so of before."""
    content = {"type": "a/b/v1", "filters": {"kind": "accepted"}}
    assert withhold(content, NAMES, randomness=os.urandom) == (content, b"")
    assert texts_of(b"") == ()
    assert not withholds(content)
    assert disclose(CONTENT, ()) == CONTENT


@given(st.sets(st.sampled_from(["identifier", "payload_digest", "text"])))
def test_disclosures_put_members_back(shown: set[str]) -> None:
    """Whichever are disclosed are in place; of the others the digests stay, and nobody is told what they were."""
    kept, texts = split()
    told = disclose(kept, [text for text in texts if next(iter(said_in([text]))) in shown])
    for name in ("identifier", "payload_digest"):
        assert (told.get(name) == CONTENT[name]) == (name in shown)
    assert ("text" in told["filters"]) == ("text" in shown)
    assert withholds(told) == (len(shown) < 3)
    assert disclose(kept, texts) == CONTENT


def test_salts_tell_equal_words_apart() -> None:
    """The same words in two entries have other digests, so that none confirms a guess of another."""
    one, other = split()[0], split()[0]
    assert not set(one["_sd"]) & set(other["_sd"])


@pytest.mark.parametrize("how", ["another's", "twice", "altered", "no disclosure", "not ASCII", "over a member"])
def test_what_is_no_part_of_an_entry_is_refused(how: str) -> None:
    """A disclosure must answer to exactly one digest in the entry, and to no member that the entry has already."""
    kept, texts = split()
    match how:
        case "another's":
            texts = (*texts[1:], split()[1][0])
        case "twice":
            texts = (*texts, texts[0])
        case "altered":
            texts = (texts[0][:-2] + ("AA" if texts[0][-2:] != "AA" else "BA"), *texts[1:])
        case "no disclosure":
            texts = (*texts, "e30")
        case "not ASCII":
            texts = (*texts, "é")
        case _:
            kept = {**kept, "identifier": "already"}
    with pytest.raises(DisclosureError) as refused:
        disclose(kept, texts)
    assert refused.value.reason.fr != refused.value.reason.en


def test_every_kind_withholds_what_names_somebody() -> None:
    """No kind has an identifier, a reason why somebody looked, or a hold's reference that is not withheld."""
    named = {"identifier", "payload_digest", "justification", "reference"}
    for kind in Kind:
        rule = KINDS[kind]
        assert named & rule.allowed == named & set(rule.withheld.get("", ())), kind
        assert ("filters" in rule.allowed) == ("filters" in rule.withheld), kind
