"""The tables of campaigns, their contacts, and numbers that must not be called."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Column, Double, Index, Integer, MetaData, Table, Text

from ivr.campaigns.model import ContactState


def add_tables(metadata: MetaData) -> tuple[Table, Table, Table]:
    """Campaigns, contacts, suppressions."""
    campaigns = Table(
        "campaigns",
        metadata,
        Column("id", Text, primary_key=True),
        Column("name", Text, nullable=False),
        Column("state", Text, nullable=False),
        Column("spec", Text, nullable=False),
        Column("created_at", Double, nullable=False),
        Column("created_by", Text, nullable=False),
        Column("started_at", Double),
        Column("ended_at", Double),
        Column("reason", Text, nullable=False),
        Column("next_call_at", Double, nullable=False),
        Column("zones", Text, nullable=False),  # JSON: the time zones that its contacts have
        Column("contacts", Integer, nullable=False),  # the number that the last contact got
    )
    Index("campaigns_by_state", campaigns.c.state)
    contacts = Table(
        "campaign_contacts",
        metadata,
        Column("campaign_id", Text, primary_key=True),
        Column("contact", Integer, primary_key=True),
        Column("number", Text, nullable=False),
        Column("called", Text, nullable=False),
        Column("timezone", Text, nullable=False),
        Column("params", Text, nullable=False),
        Column("state", Text, nullable=False),
        Column("due_at", Double, nullable=False),
        Column("attempts", Integer, nullable=False),
        Column("spared", Integer, nullable=False),
        Column("owner", Text),  # the runner whose claim it is
        Column("lease_until", Double),
        Column("attempted_at", Double),
        Column("ended_at", Double),
        Column("call_id", Text),
        Column("cause", Text),
    )
    Index("contacts_by_number", contacts.c.campaign_id, contacts.c.number, unique=True)
    waiting = contacts.c.state == ContactState.WAITING.value
    calling = contacts.c.state == ContactState.CALLING.value
    due = (contacts.c.campaign_id, contacts.c.timezone, contacts.c.due_at, contacts.c.contact)
    Index("contacts_due", *due, sqlite_where=waiting, postgresql_where=waiting)
    Index("contacts_called", contacts.c.number, sqlite_where=calling, postgresql_where=calling)
    Index("contacts_by_state", contacts.c.campaign_id, contacts.c.state, contacts.c.cause)
    suppressions = Table(
        "suppressions",
        metadata,
        Column("number", Text, primary_key=True),
        Column("at", Double, nullable=False),
        Column("source", Text, nullable=False),
    )
    return campaigns, contacts, suppressions


UPGRADE: Final = (
    """CREATE TABLE campaigns (id TEXT NOT NULL, name TEXT NOT NULL, state TEXT NOT NULL, spec TEXT NOT NULL,
       created_at DOUBLE PRECISION NOT NULL, created_by TEXT NOT NULL, started_at DOUBLE PRECISION,
       ended_at DOUBLE PRECISION, reason TEXT NOT NULL, next_call_at DOUBLE PRECISION NOT NULL,
       zones TEXT NOT NULL, contacts INTEGER NOT NULL, PRIMARY KEY (id))""",
    "CREATE INDEX campaigns_by_state ON campaigns (state)",
    """CREATE TABLE campaign_contacts (campaign_id TEXT NOT NULL, contact INTEGER NOT NULL,
       number TEXT NOT NULL, called TEXT NOT NULL, timezone TEXT NOT NULL, params TEXT NOT NULL,
       state TEXT NOT NULL,
       due_at DOUBLE PRECISION NOT NULL, attempts INTEGER NOT NULL, spared INTEGER NOT NULL, owner TEXT,
       lease_until DOUBLE PRECISION, attempted_at DOUBLE PRECISION, ended_at DOUBLE PRECISION, call_id TEXT,
       cause TEXT, PRIMARY KEY (campaign_id, contact))""",
    "CREATE UNIQUE INDEX contacts_by_number ON campaign_contacts (campaign_id, number)",
    """CREATE INDEX contacts_due ON campaign_contacts (campaign_id, timezone, due_at, contact)
       WHERE state = 'waiting'""",
    "CREATE INDEX contacts_called ON campaign_contacts (number) WHERE state = 'calling'",
    "CREATE INDEX contacts_by_state ON campaign_contacts (campaign_id, state, cause)",
    """CREATE TABLE suppressions (number TEXT NOT NULL, at DOUBLE PRECISION NOT NULL, source TEXT NOT NULL,
       PRIMARY KEY (number))""",
)
"""What brings a database of an earlier release to these tables."""
