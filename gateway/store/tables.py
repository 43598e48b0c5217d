"""The exchange's own tables, beside the log's in one ``MetaData``: a transaction writes both or neither.

Every row here is a projection of the log or of a signed document. Instants are integers, milliseconds since the Unix
epoch, UTC; the texts that people read are made from them.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    Text,
    text,
)

from audit.tables import LogIndex, metadata

registry_head = Table(
    "registry_head",
    metadata,
    Column("id", SmallInteger, CheckConstraint("id = 1", name="one_row"), primary_key=True, autoincrement=False),
    Column("version", LogIndex, nullable=False),
)
"""How far the registry has come: one more than the log index of its last statement or agreement, 0 before the first.

Written in the transaction of what it counts, under the lock of the log's head, so that every process sees it move.
"""

log_doubts = Table(
    "log_doubts",
    metadata,
    Column("source", Text, primary_key=True),
    Column("doubt", Text, nullable=False),
    Column("time", Text, nullable=False),
)
"""Why nothing may be appended to the log now: who found out (a witness, or whoever signs), what, and when.

Every process of the exchange reads it (``gateway.log.doubts``); a row goes when its source is satisfied again.
"""

log_auditors = Table(
    "log_auditors",
    metadata,
    Column("role", Text, primary_key=True),
    Column("jurisdiction", Text, nullable=False),
)
"""For whom a role of the database audits (``gateway.store.roles``); empty on SQLite, which has no roles."""

jurisdictions = Table(
    "jurisdictions",
    metadata,
    Column("code", String(6), primary_key=True),
    Column("document", LargeBinary, nullable=False),
    Column("log_index", BigInteger, nullable=False),
)
"""The jurisdictions whose authority keys were pinned when the exchange was set up, as canonical JSON."""

authority_statements = Table(
    "authority_statements",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("participant", String(70), nullable=False),
    Column("compact", LargeBinary, nullable=False),
    Column("log_index", BigInteger, nullable=False, unique=True),
)
"""Every authority statement ever taken, as signed; participants and keys are read from these, in log order."""

agreements = Table(
    "agreements",
    metadata,
    Column("agreement", String(64), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("signed", LargeBinary, nullable=False),
    Column("log_index", BigInteger, nullable=False),
)
"""Agreements as every party signed them (JWS General JSON Serialization)."""

agreement_proposals = Table(
    "agreement_proposals",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("agreement", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("log_index", BigInteger, nullable=False, unique=True),
    Index("ix_agreement_proposals_name", "agreement", "version"),
)
"""Documents that a party has put to the others, by the SHA-256 of the bytes that they sign."""

agreement_signatures = Table(
    "agreement_signatures",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("party", String(6), primary_key=True),
    Column("compact", LargeBinary, nullable=False),
    Column("log_index", BigInteger, nullable=False, unique=True),
)
"""The signatures over proposals as they came, one for each party; together they make a row of ``agreements``."""

agreement_steps = Table(
    "agreement_steps",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("agreement", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("compact", LargeBinary, nullable=False),
    Column("log_index", BigInteger, nullable=False, unique=True),
)
"""What parties stated of complete agreements, as signed, by the SHA-256 of the payload; they count in log order."""

alerts = Table(
    "alerts",
    metadata,
    Column("alert_id", String(36), primary_key=True),
    Column("log_index", BigInteger, nullable=False),
    Column("thread", String(36), nullable=False),
    Column("sender", String(70), nullable=False),
    Column("name", LargeBinary(32), nullable=False, unique=True),
    Column("identifier", LargeBinary),
    Column("payload_mark", LargeBinary(32), nullable=False),
    Column("type", String(100), nullable=False),
    Column("status", String(8), nullable=False),
    Column("msg_type", String(8), nullable=False),
    Column("received_ms", BigInteger, nullable=False),
    Column("submission", LargeBinary, nullable=False),
    Column("answer", LargeBinary, nullable=False),
    Column("submission_digest", LargeBinary(32), nullable=False),
    Column("handling", Text, nullable=False),
)
"""What was accepted: the submission, sealed (``gateway.sealing.contents``), and the answer that its sender got.

``name`` is the mark of sender and identifier, by which it is known for good, ``identifier`` what the sender wrote,
sealed like the submission; None where it was erased before it was sealed. ``payload_mark`` tells whether a payload is
the same. The receipt in ``answer`` is detached (``gateway.receipts``), for what it says names the identifier.
``submission_digest`` is the SHA-256 of the submission as it came. ``handling`` is how the alert is to be handled, as
JSON and without the caveat, which is in its sender's words: who passes the alert on is held to it after the content is
gone.
"""

content_keys = Table(
    "content_keys",
    metadata,
    Column("alert_id", String(36), primary_key=True),
    Column("wrapped_by", String(37), nullable=False, index=True),
    Column("wrapped", LargeBinary(60), nullable=False),
    Column("due_ms", BigInteger, nullable=False),
    Column("retain_days", Integer, nullable=False),
    Column("basis", String(9), nullable=False),
    Column("held_by", LargeBinary(32)),
    Index(
        "ix_content_keys_due",
        "due_ms",
        sqlite_where=text("held_by IS NULL"),
        postgresql_where=text("held_by IS NULL"),
    ),
    Index(
        "ix_content_keys_held",
        "held_by",
        sqlite_where=text("held_by IS NOT NULL"),
        postgresql_where=text("held_by IS NOT NULL"),
    ),
)
"""The wrapped key to each alert's content, for as long as there is content: whoever is not here was erased.

``due_ms`` is when it is to be erased, ``basis`` whose term that is (``gateway.store.retention``), ``held_by`` the
statement of the legal hold under whose key it is wrapped meanwhile.
"""

mark_key = Table(
    "mark_key",
    metadata,
    Column("id", SmallInteger, CheckConstraint("id = 1", name="one_row"), primary_key=True, autoincrement=False),
    Column("mark", LargeBinary(32), nullable=False),
    Column("since", BigInteger, nullable=False),
)
"""By which key the marks in this database were made: a mark of nothing (``gateway.sealing.marks``).

``since`` is how many entries the log had when they came: what was decided before named alerts by their identifiers.
"""

dispatches = Table(
    "dispatches",
    metadata,
    Column("delivery_id", String(36), primary_key=True),
    Column("alert_id", String(36), nullable=False),
    Column("log_index", BigInteger, nullable=False),
    Column("thread", String(36), nullable=False),
    Column("recipient", String(70), nullable=False),
    Column("lane", String(7), nullable=False),
    Column("agreement", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("clause", String(32), nullable=False),
    Column("state", String(10), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_ms", BigInteger, nullable=False),
    Column("deadline_ms", BigInteger, nullable=False),
    Column("settled_ms", BigInteger),
    Column("detail", String(200)),
    Column("traceparent", String(55)),
    Column("terms", Text),
    Column("released", BigInteger),
    Column("owed_ms", BigInteger),
    Column("handed", LargeBinary(32)),
    Index("ix_dispatches_alert", "alert_id"),
    Index("ix_dispatches_route", "recipient", "lane", "state", "due_ms", "log_index"),
    Index("ix_dispatches_deadline", "state", "deadline_ms"),
    Index("ix_dispatches_thread", "thread", "recipient", "log_index"),
    Index(
        "ix_dispatches_owed",
        "owed_ms",
        sqlite_where=text("owed_ms IS NOT NULL"),
        postgresql_where=text("owed_ms IS NOT NULL"),
    ),
)
"""One recipient's copy on its way: see ``gateway.store.dispatches`` for its states, ``gateway.store.terms`` for those
of its permit.

``released`` is the index of the entry that let it go, the alert's own or the consent that came last; None of one that
awaits consent or ended so, of which its recipient must not learn. ``owed_ms`` is by when its recipient must acknowledge
it; None where it need not or was not sent it yet, where it did, and where the log says that it did not. ``handed`` is
the SHA-256 of the bytes that the recipient took; None where it took none, or nobody said.
"""

consent_requests = Table(
    "consent_requests",
    metadata,
    Column("consent_id", String(36), primary_key=True),
    Column("delivery_id", String(36), nullable=False, index=True),
    Column("alert_id", String(36), nullable=False),
    Column("asked", String(70), nullable=False, index=True),
    Column("deadline_ms", BigInteger, nullable=False),
    Column("log_index", BigInteger, nullable=False),
)
"""Who is asked for consent to a dispatch, a participant or a jurisdiction, and by when. It is open while the dispatch
is held and it has no answer."""

consent_answers = Table(
    "consent_answers",
    metadata,
    Column("consent_id", String(36), primary_key=True),
    Column("decision", String(7), nullable=False),
    Column("compact", LargeBinary, nullable=False),
    Column("log_index", BigInteger, nullable=False),
)
"""What those said who were asked, as signed: ``given`` or ``refused``. The first answer stands."""

content_statements = Table(
    "content_statements",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("statement", String(13), nullable=False),
    Column("alert_id", String(36), nullable=False, index=True),
    Column("jurisdiction", String(6), nullable=False),
    Column("ends", LargeBinary(32), unique=True),
    Column("compact", LargeBinary, nullable=False),
    Column("log_index", BigInteger, nullable=False, unique=True),
)
"""What authorities stated of an alert's content, as signed, by the SHA-256 of the payload: a legal hold, the release of
one, of which ``ends`` is the digest, or an order to erase."""

citations = Table(
    "citations",
    metadata,
    Column("alert_id", String(36), primary_key=True),
    Column("name", LargeBinary(32), primary_key=True),
    Column("sender", String(70), nullable=False),
)
"""Which alerts of other senders an alert passes on, by their marks: those that it names, and those that its own earlier
ones did."""

acknowledgements = Table(
    "acknowledgements",
    metadata,
    Column("delivery_id", String(36), primary_key=True),
    Column("status", String(8), primary_key=True),
    Column("alert_id", String(36), nullable=False, index=True),
    Column("participant", String(70), nullable=False),
    Column("at", String(40), nullable=False),
    Column("compact", LargeBinary, nullable=False),
    Column("log_index", BigInteger, nullable=False),
)
"""The partners' own signed words, one per delivery and status; the first one stands."""

period_statements = Table(
    "period_statements",
    metadata,
    Column("participant", String(70), primary_key=True),
    Column("from_ms", BigInteger, primary_key=True),
    Column("log_index", BigInteger, primary_key=True, autoincrement=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
)
"""What the exchange wrote into the log of its own accord: what it handed to a participant on a day. The last one of a
day stands; ``digest`` is the SHA-256 of what it says."""

reconciliations = Table(
    "reconciliations",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("participant", String(70), nullable=False),
    Column("from_ms", BigInteger, nullable=False),
    Column("until_ms", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("compact", LargeBinary, nullable=False),
    Column("answer", LargeBinary, nullable=False),
    Column("log_index", BigInteger, nullable=False),
    Index("ix_reconciliations_participant", "participant", "at_ms"),
)
"""What participants stated that they received, as signed, by the SHA-256 of the payload, with the answer that each
got."""

client_assertions = Table(
    "client_assertions",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("expires_ms", BigInteger, nullable=False, index=True),
)
"""Digests of the client assertions that were spent for a token and have not expired (RFC 7523 section 3, ``jti``)."""
