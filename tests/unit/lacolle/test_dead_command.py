"""What ``lacolle ops dead`` says of a record's death, in French as in English."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from bus.contract import Record
from bus.events import read_parcel, write_parcel
from bus.headers import MalformedRecordError
from lacolle.commands.dead import reason_in_words
from tests.unit.bus.parcels import ORIGIN, parcel


def _malformed() -> Iterator[Record]:
    """Yield a parcel's record, harmed in each place and way."""
    good = write_parcel(replace(parcel(1), exercise=True, traceparent="00-01-02-03"), origin=ORIGIN)
    yield replace(good, headers=(*good.headers, good.headers[0]))
    yield replace(good, topic="lacolle.outcomes")
    yield replace(good, key=b"\xff")
    for header in good.headers:
        others = tuple(each for each in good.headers if each != header)
        yield replace(good, headers=others)
        yield replace(good, headers=(*others, (header[0], b"\xff")))


def test_every_reason_is_known_in_french() -> None:
    """Whatever reading a parcel refuses, and a fault of the adapter's, has French words of its own."""
    reasons = {"adapter fault: ValueError"}
    for record in _malformed():
        try:
            read_parcel(record)
        except MalformedRecordError as error:
            reasons.add(error.reason)
    assert len(reasons) > 20
    for reason in reasons:
        words = reason_in_words(reason)
        assert words.en == reason
        assert words.fr != reason


def test_an_unknown_reason_stays_as_it_is() -> None:
    """A reason of another version is told as it stands."""
    assert reason_in_words("something new").fr == "something new"
