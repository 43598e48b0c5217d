"""The log's tables.

Written by one writer at a time, which holds the row of ``log_head``; nothing but ``log_head`` is ever updated, and
nothing is deleted but a cosignature that is made anew. There are no foreign keys: entries go in by the thousand, and
the tree proves more than they would. The gateway's tables join this ``metadata``.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    and_,
)

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

SIZE_LIMIT: Final = 1 << 62
"""No log grows as large; a number below fits the databases' integers, also where one is added."""

LogIndex: Final = BigInteger().with_variant(Integer(), "sqlite")
"""A place in the log. ``INTEGER`` on SQLite, where only that name makes a primary key the row's own number."""

log_entries: Final = Table(
    "log_entries",
    metadata,
    Column("log_index", LogIndex, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("time", Text, nullable=False),  # RFC 3339, UTC, milliseconds
    Column("actor", Text),
    Column("alert_id", Text),
    Column("agreement", Text),
    Column("salt", LargeBinary, nullable=False),
    Column("content", LargeBinary, nullable=False),  # the canonical bytes of the whole entry
    Column("commitment", LargeBinary, nullable=False),
    Column("disclosures", LargeBinary),  # what the entry withholds, as a keeper has sealed it (audit.withheld)
)

_of_an_alert = log_entries.c.alert_id.is_not(None)
Index("ix_log_entries_alert_id", log_entries.c.alert_id, sqlite_where=_of_an_alert, postgresql_where=_of_an_alert)

_of_an_agreement_alone = and_(log_entries.c.agreement.is_not(None), log_entries.c.alert_id.is_(None))
Index(
    "ix_log_entries_agreement",
    log_entries.c.agreement,
    log_entries.c.log_index,
    sqlite_where=_of_an_agreement_alone,
    postgresql_where=_of_an_agreement_alone,
)

log_parties: Final = Table(
    "log_parties",
    metadata,
    Column("jurisdiction", Text, primary_key=True),
    Column("log_index", LogIndex, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)
"""Who may read an entry. The jurisdiction first: one index answers both "may it?" and "what may it?"."""

log_head: Final = Table(
    "log_head",
    metadata,
    Column("id", SmallInteger, CheckConstraint("id = 1", name="one_row"), primary_key=True, autoincrement=False),
    Column("size", LogIndex, nullable=False),
    Column("root", LargeBinary, nullable=False),
    Column("frontier", LargeBinary, nullable=False),  # audit.merkle.Frontier's hashes, joined
)

log_tiles: Final = Table(
    "log_tiles",
    metadata,
    Column("level", SmallInteger, primary_key=True, autoincrement=False),
    Column("tile", LogIndex, primary_key=True, autoincrement=False),
    Column("root", LargeBinary, nullable=False),  # a hash of the level above; before the data, to be read without it
    Column("data", LargeBinary, nullable=False),  # 256 hashes
)
"""Full tiles alone. Partial ones are read from the entries, or from the roots of the tiles below."""

checkpoints: Final = Table(
    "checkpoints",
    metadata,
    Column("size", LogIndex, primary_key=True, autoincrement=False),
    Column("root", LargeBinary, nullable=False),
    Column("note", Text, nullable=False),  # the signed note, as published
    Column("time", Text, nullable=False),  # when it was signed: for the operator, no signature covers it
)

cosignatures: Final = Table(
    "cosignatures",
    metadata,
    Column("size", LogIndex, primary_key=True, autoincrement=False),
    Column("witness", Text, primary_key=True),
    Column("time", BigInteger, nullable=False),  # what the witness says, POSIX seconds; its signature covers it
    Column("line", Text, nullable=False),  # as it stands under the checkpoint's note, with its newline
)
"""What witnesses have cosigned, each once for a checkpoint: a later one of the same takes the place of the earlier."""

Index("ix_cosignatures_witness_size", cosignatures.c.witness, cosignatures.c.size)

log_segments: Final = Table(
    "log_segments",
    metadata,
    Column("segment", LogIndex, primary_key=True, autoincrement=False),
    Column("first_time", Text, nullable=False),  # the earliest and the latest time among its entries
    Column("last_time", Text, nullable=False),
)
"""The index of the log grows by one segment for every so many entries (``audit.segments``); none ever changes."""

log_postings: Final = Table(
    "log_postings",
    metadata,
    Column("jurisdiction", Text, primary_key=True),
    Column("term", Text, primary_key=True),  # as audit.terms.kept_as gives it
    Column("segment", Integer, primary_key=True, autoincrement=False),
    Column("offsets", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
"""Which entries of a segment have a term, among those to which a jurisdiction is a party.

On PostgreSQL a row is there twice, in the table and in its key's index, so each byte of these counts twice.
"""
