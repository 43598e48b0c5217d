"""What a reader may see of the log."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from audit.entry import commitment, read_entry
from audit.kinds import Kind
from audit.queries import entries_of_alert, entry_at
from schemas.ids import JurisdictionCode
from tests.contract.audit.writing import alert_id, append


async def test_a_jurisdiction_sees_the_entries_it_is_a_party_to(connection: AsyncConnection) -> None:
    """Of one alert's entries each jurisdiction gets its own, in order; an unknown alert looks like another's."""
    await append(connection, 30)
    kinds: dict[str, list[Kind]] = {}
    for code in ("CA-QC", "US-NY", "US-VT", "US-ME"):
        found = await entries_of_alert(connection, alert_id(4), jurisdiction=JurisdictionCode(code))
        assert [entry.index for entry in found] == sorted(entry.index for entry in found)
        assert all(entry.commitment == commitment(entry.salt, entry.canonical) for entry in found)
        assert all(read_entry(entry.canonical).alert_id == alert_id(4) for entry in found)
        kinds[code] = [read_entry(entry.canonical).kind for entry in found]
    assert kinds == {
        "CA-QC": [Kind.ACCEPTED, Kind.ROUTED],
        "US-NY": [Kind.ACCEPTED],
        "US-VT": [Kind.ROUTED],
        "US-ME": [],
    }
    assert await entries_of_alert(connection, alert_id(99), jurisdiction=JurisdictionCode("CA-QC")) == ()


async def test_an_entry_is_found_by_its_index(connection: AsyncConnection) -> None:
    """Every entry comes with what proves it; an index that the log does not have gives none, however large."""
    await append(connection, 3)
    for index in range(3):
        entry = await entry_at(connection, index)
        assert entry is not None
        assert read_entry(entry.canonical).index == entry.index == index
        assert entry.commitment == commitment(entry.salt, entry.canonical)
    for index in (-1, 3, 1 << 62, 1 << 64):
        assert await entry_at(connection, index) is None
