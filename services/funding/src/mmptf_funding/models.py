"""The funding service's tables: the JSON record that readers get, and the columns for filters, sort orders and sums."""

from __future__ import annotations

from datetime import date
from datetime import date as date_
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from mmptf_common.feed.replication import replication_table
from mmptf_common.storage.journal_schema import add_journal
from mmptf_common.storage.pseudonyms import pseudonym_table
from mmptf_common.storage.records import Record, codes, renamed_code_table
from mmptf_common.storage.rollups import Rollup, add_rollups

AMOUNT = sa.Numeric(18, 2)


class Base(SQLModel, registry=registry()):
    """The base class of this service's tables; its own registry lets two services run in one process."""


class MoneyStageRow(Record, Base, table=True):
    __tablename__ = "money_stage"

    position: int


class ContributorRow(Record, Base, table=True):
    __tablename__ = "contributor"
    __table_args__ = (
        # COLLATE "C" in the database: Alembic reads an index without its collations.
        sa.Index("contributor_name", sa.text("lower(name)"), "code"),
        sa.Index("contributor_lower_country", sa.text("lower(country)")),
    )

    name: str
    type: str
    country: str | None = Field(default=None, index=True)


class ContributionRow(Record, Base, table=True):
    """A contribution; totals are separate for each `money_stage` and `basis`."""

    __tablename__ = "contribution"
    __table_args__ = (
        # All that filters, facets and totals read.
        sa.Index(
            "contribution_filters",
            *("money_stage", "basis", "contributor_type", "country", "contributor", "currency"),
            postgresql_include=["amount", "as_of", "updated", "revised", "code"],
        ),
    )

    contributor: str = Field(foreign_key="contributor.code", index=True)
    contributor_type: str
    country: str | None
    amount: Decimal = Field(sa_type=AMOUNT, index=True)
    currency: str
    money_stage: str = Field(foreign_key="money_stage.code")
    basis: str
    as_of: date


class TargetRow(Record, Base, table=True):
    __tablename__ = "target"

    amount: Decimal = Field(sa_type=AMOUNT)
    currency: str
    due: date


class FactRow(Record, Base, table=True):
    """A fact; `computed_by` names the computation of its figure from our rows, null where there is none.

    The computed figure is part of the record, which a write of contributions or targets amends.
    """

    __tablename__ = "fact"

    printed: Decimal = Field(sa_type=AMOUNT)
    computed_by: str | None


class SourceDocumentRow(Record, Base, table=True):
    """A document that facts were taken from."""

    __tablename__ = "source_document"


class EditionRow(Record, Base, table=True):
    """An edition of published funding requirements."""

    __tablename__ = "edition"

    name: str


class TermRow(Record, Base, table=True):
    """One entry of an edition's vocabulary; `term` is its code within the edition and the kind."""

    __tablename__ = "term"
    __table_args__ = (
        sa.UniqueConstraint("edition", "kind", "term"),
        sa.Index("term_lower_term", sa.text("lower(term)"), "kind"),
        sa.Index("term_lower_country", sa.text("lower(coalesce(country, 'none'))"), "kind"),
    )

    edition: str = Field(foreign_key="edition.code")
    kind: str = Field(index=True)
    term: str
    name: str
    region: str | None
    country: str | None
    position: int


_CODES_OF_REQUIREMENTS = ("region", "area", "place", "status", "edition")


class RequirementRow(Record, Base, table=True):
    """A funding requirement: the columns of the template, which exports copy, and those for filters and search.

    amount:  USD; null where the source says "funded" or lacks the figure; `implied` is what other figures then imply
    country: ISO 3166-1 alpha-3, `none` where the place is no single country
    words:   what `q` searches, folded
    """

    __tablename__ = "requirement"
    __table_args__ = (
        sa.Index("requirement_words", sa.text("array_to_tsvector(words)"), postgresql_using="gin"),
        # All that filters, facets and totals read, so that counts and sums read no row itself; in the order in which
        # rows are most often chosen, and in which equal ones are counted together.
        sa.Index(
            "requirement_filters",
            *("region", "area", "country", "place", "status", "edition", "populations"),
            postgresql_include=["amount", "implied", "updated", "revised", "code"],
        ),
        # Those of one value in the order of the list, however many they are; further filters are compared in the index.
        *(
            sa.Index(
                f"requirement_{name}",
                *(name, "code"),
                postgresql_include=[other for other in _CODES_OF_REQUIREMENTS if other != name],
            )
            for name in _CODES_OF_REQUIREMENTS
        ),
        # Of few rows with one population, or of one number of them, the rows themselves are found.
        sa.Index("requirement_populations", "populations", postgresql_using="gin"),
        sa.Index("requirement_populations_named", sa.text("cardinality(populations)"), "code"),
        sa.Index("requirement_topics", "topics", postgresql_using="gin"),
        sa.Index("requirement_topics_named", sa.text("cardinality(topics)"), "code"),
        # One for each direction: rows without an amount are last in both. An expression alone is read from the row; and
        # in the order of amounts the rows of a status, area or place may stand behind most others.
        *(
            sa.Index(
                name,
                *(sa.text(f"coalesce(amount, {last})"), "code"),
                postgresql_include=["amount", "status", "region", "area", "place", "edition"],
            )
            for name, last in (("requirement_amount", "-1"), ("requirement_amount_ascending", "'Infinity'"))
        ),
        # Most of the largest amounts are for several topics, so those for one stand behind many.
        sa.Index(
            "requirement_one_topic",
            *(sa.text("coalesce(amount, -1)"), "code"),
            postgresql_include=["amount"],
            postgresql_where=sa.text("cardinality(topics) = 1"),
        ),
    )

    edition: str = Field(foreign_key="edition.code")
    region: str
    region_name: str
    place: str
    place_name: str
    place_as_printed: str | None
    country: str
    area: str
    area_name: str
    area_as_printed: str | None
    amount: Decimal | None = Field(default=None, sa_type=AMOUNT)
    status: str
    implied: Decimal | None = Field(default=None, sa_type=AMOUNT)
    as_printed: str | None
    populations: list[str] = codes()
    confidence: str
    note: str | None
    source_document: str
    source_line: int | None
    source_locator: str | None
    heading_line: int | None
    place_line: int | None
    populations_line: int | None
    purpose: str | None
    topics: list[str] = codes()
    words: list[str] = codes()


class PrintedTotalRow(Record, Base, table=True):
    """A total or a percentage that an edition prints; `printed` is null where the edition prints "funded".

    division, region, value: what it is a total of; `region` also where the total by area of one region is meant
    """

    __tablename__ = "printed_total"

    edition: str = Field(foreign_key="edition.code", index=True)
    division: str
    region: str | None
    value: str
    unit: str
    printed: Decimal | None = Field(default=None, sa_type=AMOUNT)
    position: int


class InitiativeRow(Record, Base, table=True):
    """An initiative or fund of an edition; periods differ, so initiatives are never summed.

    countries: ISO 3166-1 alpha-3 codes; area: code of an area of the edition, null where its section fits none
    """

    __tablename__ = "initiative"
    __table_args__ = (sa.Index("initiative_words", sa.text("array_to_tsvector(words)"), postgresql_using="gin"),)

    edition: str = Field(foreign_key="edition.code", index=True)
    kind: str
    section: str
    amount: Decimal | None = Field(default=None, sa_type=AMOUNT)
    currency: str | None
    area: str | None
    countries: list[str] = codes()
    position: int
    words: list[str] = codes()


class PartnerRow(Record, Base, table=True):
    """A donor or partner that an edition lists; country: ISO 3166-1 alpha-3 of a state or a territory."""

    __tablename__ = "partner"
    __table_args__ = (sa.Index("partner_words", sa.text("array_to_tsvector(words)"), postgresql_using="gin"),)

    edition: str = Field(foreign_key="edition.code", index=True)
    kind: str
    name: str
    country: str | None
    position: int
    words: list[str] = codes()


class FigureRow(Record, Base, table=True):
    """A figure that the texts of an edition state; none is a requirement, and they are never summed.

    value: as printed, in `unit`; null where a table prints a dash; year_to: null where no last year is stated
    """

    __tablename__ = "figure"
    __table_args__ = (sa.Index("figure_words", sa.text("array_to_tsvector(words)"), postgresql_using="gin"),)

    edition: str = Field(foreign_key="edition.code", index=True)
    region: str | None
    countries: list[str] = codes()
    measure: str
    value: Decimal | None = Field(default=None, sa_type=sa.Numeric(22, 6))
    unit: str
    qualifier: str | None
    year_from: int | None
    year_to: int | None
    position: int
    words: list[str] = codes()


class FrameworkRow(Record, Base, table=True):
    """A framework of an edition without its items; region: null where it is that of no region."""

    __tablename__ = "framework"

    edition: str = Field(foreign_key="edition.code", index=True)
    region: str | None
    kind: str
    position: int
    words: list[str] = codes()


class FrameworkItemRow(Record, Base, table=True):
    """An item of a framework."""

    __tablename__ = "framework_item"
    __table_args__ = (sa.Index("framework_item_words", sa.text("array_to_tsvector(words)"), postgresql_using="gin"),)

    edition: str = Field(foreign_key="edition.code", index=True)
    framework: str = Field(foreign_key="framework.code", index=True)
    level: str
    position: int
    words: list[str] = codes()


class RegionalOfficeRow(Record, Base, table=True):
    """An office of an edition's publisher; countries: ISO 3166-1 alpha-3 codes of those that it covers."""

    __tablename__ = "regional_office"

    edition: str = Field(foreign_key="edition.code", index=True)
    region: str | None
    countries: list[str] = codes()
    position: int


class RegionalGroupRow(Record, Base, table=True):
    """A group that an edition names; countries: ISO 3166-1 alpha-3 codes of members and observers."""

    __tablename__ = "regional_group"
    __table_args__ = (sa.Index("regional_group_words", sa.text("array_to_tsvector(words)"), postgresql_using="gin"),)

    edition: str = Field(foreign_key="edition.code", index=True)
    region: str | None
    kind: str
    name: str
    countries: list[str] = codes()
    position: int
    words: list[str] = codes()


class AcronymRow(Record, Base, table=True):
    """An acronym that an edition explains."""

    __tablename__ = "acronym"
    __table_args__ = (sa.Index("acronym_words", sa.text("array_to_tsvector(words)"), postgresql_using="gin"),)

    edition: str = Field(foreign_key="edition.code", index=True)
    region: str | None
    acronym: str
    position: int
    words: list[str] = codes()


class ProgrammeRow(Record, Base, table=True):
    """A programme as the catalogue describes it."""

    __tablename__ = "programme"


class OrganizationRow(Record, Base, table=True):
    """An organization as the catalogue describes it."""

    __tablename__ = "organization"


class ThematicAreaRow(Record, Base, table=True):
    """A thematic area as the catalogue describes it."""

    __tablename__ = "thematic_area"


class RenamingRow(Record, Base, table=True):
    """An earlier code of a record of the catalogue; its code is the kind of the record and that code."""

    __tablename__ = "renaming"


class ClosingRow(Record, Base, table=True):
    """The certificate of the final figures of a programme, whose code it has."""

    __tablename__ = "closing"

    state: str
    date: date_ = Field(index=True)


class EntryRow(Record, Base, table=True):
    """An entry of the ledger; reversals have negative amounts, so that sums are net.

    reversed_by, replaced_by: the entry that reverses this one, and the one that takes its place; each is set once, with
                              the record, and every other column stays as written, but for the codes of a programme
                              or an organization that is renamed
    replaces: the entries for which this one stands since their correction, the first of them first; null for none
    """

    __tablename__ = "ledger_entry"
    __table_args__ = (
        sa.Index("ledger_entry_programme_kind", "programme", "kind", "organization"),
        # All that filters, facets and totals read, in the order in which equal entries are counted together.
        sa.Index(
            "ledger_entry_filters",
            *("kind", "thematic_area", "category", "organization", "contributor", "programme", "flags"),
            postgresql_include=["date", "amount", "reverses", "revised", "code", "account", "decision"],
        ),
        sa.Index(
            "ledger_entry_flags", "flags", postgresql_using="gin", postgresql_where=sa.text("flags <> '{}'::text[]")
        ),
        # In the orders of the list. Reversals have the lowest amounts, so that those of some kinds stand behind many.
        sa.Index(
            "ledger_entry_amount_code",
            *("amount", "code"),
            postgresql_include=["kind", "organization", "thematic_area", "category", "reverses"],
        ),
        *(
            sa.Index(f"ledger_entry_lower_{name}", sa.text(f"lower({name})"))
            for name in ("programme", "organization", "thematic_area", "account", "decision")
        ),
        # Of the entries that have them.
        *(
            sa.Index(f"ledger_entry_{name}", *columns, "code", postgresql_where=sa.text(f"{name} IS NOT NULL"))
            for name, columns in (
                ("value_date", ("value_date",)),
                ("account", ("account",)),
                ("bank_reference", (sa.text("lower(bank_reference)"),)),
                ("decision", ("decision",)),
                ("corrects", ("corrects",)),
                ("replaces", (sa.text("(replaces[1])"),)),
            )
        ),
    )

    number: int = Field(unique=True)
    kind: str
    date: date_
    amount: Decimal = Field(sa_type=AMOUNT)
    contributor: str | None = Field(default=None, foreign_key="contributor.code", index=True)
    programme: str | None
    organization: str | None = Field(default=None, index=True)
    thematic_area: str | None
    category: str | None
    follows: str | None = Field(default=None, foreign_key="ledger_entry.code", index=True)
    reverses: str | None = Field(default=None, foreign_key="ledger_entry.code", unique=True)
    flags: list[str] = codes()
    reversed_by: str | None = Field(default=None, foreign_key="ledger_entry.code")
    replaced_by: str | None = Field(default=None, foreign_key="ledger_entry.code")
    replaces: list[str] | None = Field(default=None, sa_type=ARRAY(sa.Text))
    corrects: str | None = Field(default=None, foreign_key="ledger_entry.code")
    value_date: date_ | None
    account: str | None
    bank_reference: str | None
    decision: str | None


class TransferLimitRow(Record, Base, table=True):
    """From when on a second person approves transfers above an amount; null for none. The last stated one counts."""

    __tablename__ = "transfer_limit"

    number: int = Field(unique=True)
    since: date_
    amount: Decimal | None = Field(default=None, sa_type=AMOUNT)


class TransferProposalRow(Record, Base, table=True):
    """A transfer that one person has proposed, and what became of it."""

    __tablename__ = "transfer_proposal"
    __table_args__ = (sa.Index("transfer_proposal_state_code", "state", "code"),)

    number: int = Field(unique=True)
    state: str
    programme: str
    organization: str


class AccountingPeriodRow(Record, Base, table=True):
    """A period of the ledger; periods follow one another day by day. While it is not open, no entry is dated up to its
    last day.
    """

    __tablename__ = "accounting_period"

    first_day: date_ = Field(unique=True)
    last_day: date_ = Field(unique=True)
    status: str


class BankAccountRow(Record, Base, table=True):
    """An account of the Fund at a bank; `identification` is its IBAN or number in capitals and digits alone."""

    __tablename__ = "bank_account"

    identification: str = Field(unique=True)
    currency: str


class BankStatementRow(Record, Base, table=True):
    """A statement of a bank account; those of one account never overlap."""

    __tablename__ = "bank_statement"
    __table_args__ = (sa.UniqueConstraint("account", "date_from"),)

    number: int = Field(unique=True)
    account: str = Field(foreign_key="bank_account.code")
    date_from: date
    date_to: date
    opening: Decimal = Field(sa_type=AMOUNT)
    closing: Decimal = Field(sa_type=AMOUNT)
    digest: str


class BankEntryRow(Record, Base, table=True):
    """A movement of an account as the bank states it; debits are negative.

    refs: all references; identity: the bank's own with day and amount, which no two entries of an account have in
    common, null where there is none; match: the match that reconciles it, null where none does
    effective: the day from which on both sides have it: the latest of what the match contains, or the first open one
    """

    __tablename__ = "bank_entry"
    __table_args__ = (
        sa.UniqueConstraint("account", "identity"),
        sa.Index("bank_entry_account_booking_date", "account", "booking_date", "code"),
        sa.Index("bank_entry_booking_date", "booking_date", "code"),
        sa.Index("bank_entry_amount", "amount", "code"),
        sa.Index("bank_entry_refs", "refs", postgresql_using="gin"),
        sa.Index(
            "bank_entry_not_reconciled", "account", "booking_date", "code", postgresql_where=sa.text("match IS NULL")
        ),
    )

    number: int = Field(unique=True)
    account: str = Field(foreign_key="bank_account.code")
    statement: str = Field(foreign_key="bank_statement.code", index=True)
    booking_date: date
    value_date: date
    amount: Decimal = Field(sa_type=AMOUNT)
    currency: str
    direction: str
    refs: list[str] = codes()
    identity: str | None
    match: str | None = Field(default=None, index=True)
    effective: date | None = None


class BankMatchRow(Record, Base, table=True):
    """That a bank entry and some ledger entries are the same money; of a bank entry, one at most is confirmed."""

    __tablename__ = "bank_match"
    __table_args__ = (
        sa.Index("bank_match_confirmed", "bank_entry", unique=True, postgresql_where=sa.text("state = 'confirmed'")),
    )

    number: int = Field(unique=True)
    account: str = Field(foreign_key="bank_account.code", index=True)
    bank_entry: str = Field(foreign_key="bank_entry.code", index=True)
    ledger_entries: list[str] = codes()
    state: str


class ReconciledEntryRow(Record, Base, table=True):
    """The confirmed match of a ledger entry, under the code of that entry, so that it never has two.

    effective: the day from which on both sides have it: the latest of what the match contains, or the first open one
    """

    __tablename__ = "reconciled_entry"
    __table_args__ = (sa.ForeignKeyConstraint(["code"], ["ledger_entry.code"]),)

    account: str = Field(foreign_key="bank_account.code", index=True)
    match: str = Field(foreign_key="bank_match.code", index=True)
    bank_entry: str
    effective: date


class ImportedEntryRow(Record, Base, table=True):
    """The entry that a row of an import of earlier years became, under the row's own number."""

    __tablename__ = "imported_entry"

    entry: str = Field(foreign_key="ledger_entry.code", unique=True)


replication = replication_table(Base.metadata)
# What the database itself writes with each entry: the amount in another currency, where it was given in one.
_entry = Base.metadata.tables["ledger_entry"]
_entry.append_column(
    sa.Column("original_amount", AMOUNT, sa.Computed("(record#>>'{original,sum,amount}')::numeric(18,2)"))
)
_entry.append_column(sa.Column("original_currency", sa.Text, sa.Computed("record#>>'{original,sum,currency}'")))
# All that a statement reads of commitments.
sa.Index(
    "ledger_entry_commitments",
    _entry.c.code,
    postgresql_include=[
        *("replaces", "contributor", "date", "amount", "original_amount", "original_currency", "reverses"),
    ],
    postgresql_where=_entry.c.kind == "commitment",
)
# In the order of the list, with all that statements read of the entries of some days.
sa.Index(
    "ledger_entry_date_code",
    *(_entry.c.date, _entry.c.code),
    postgresql_include=[
        *("kind", "amount", "contributor", "programme", "organization", "category", "thematic_area", "follows"),
        *("original_amount", "original_currency"),
    ],
)
sa.Index("ledger_entry_amendments", _entry.c.follows, postgresql_where=_entry.c.kind == "commitment_amendment")
renamed_code = renamed_code_table(Base.metadata)
pseudonym = pseudonym_table(Base.metadata)
add_journal(Base.metadata, {"source_document": "document"})
# As of an earlier revision, too, the entry that reverses another one is looked up.
_reverses = Base.metadata.tables["ledger_entry_past"].c.reverses
sa.Index("ledger_entry_past_reverses", _reverses, postgresql_where=_reverses.is_not(None))

REQUIREMENT_ROLLUP = Rollup(
    table="requirement_rollup",
    of="requirement",
    keys=("edition", "region", "place", "country", "area", "status"),
    derived={
        "amount_stated": ("filtered.amount IS NOT NULL", sa.Boolean),
        "implied_stated": ("filtered.implied IS NOT NULL", sa.Boolean),
    },
    sums=("amount", "implied"),
    extremes=("amount", "updated"),
)
# Without places, whose number times that of populations would be nearly that of requirements. Of several populations
# only that there are several: sums and `populations_named` ask for no more.
REQUIREMENT_ROLLUP_BY_POPULATIONS = Rollup(
    table="requirement_rollup_by_populations",
    of="requirement",
    keys=("edition", "region", "area", "status"),
    derived={
        "amount_stated": ("filtered.amount IS NOT NULL", sa.Boolean),
        "populations": (
            "CASE WHEN cardinality(filtered.populations) > 1 THEN '{several,several}' ELSE filtered.populations END",
            ARRAY(sa.Text),
        ),
    },
    sums=("amount",),
)
REQUIREMENT_ROLLUP_BY_POPULATION = Rollup(
    table="requirement_rollup_by_population",
    of="requirement",
    keys=("edition", "region", "area", "status"),
    derived={"target_population": ("named.population", sa.Text)},
    parts="LEFT JOIN LATERAL unnest(filtered.populations) AS named(population) ON true",
    facet="target_population",
)
# The same of topics.
REQUIREMENT_ROLLUP_BY_TOPICS = Rollup(
    table="requirement_rollup_by_topics",
    of="requirement",
    keys=("edition", "region", "area", "status"),
    derived={
        "amount_stated": ("filtered.amount IS NOT NULL", sa.Boolean),
        "topics": (
            "CASE WHEN cardinality(filtered.topics) > 1 THEN '{several,several}' ELSE filtered.topics END",
            ARRAY(sa.Text),
        ),
    },
    sums=("amount",),
)
REQUIREMENT_ROLLUP_BY_TOPIC = Rollup(
    table="requirement_rollup_by_topic",
    of="requirement",
    keys=("edition", "region", "area", "status"),
    derived={"topic": ("named.topic", sa.Text)},
    parts="LEFT JOIN LATERAL unnest(filtered.topics) AS named(topic) ON true",
    facet="topic",
)
CONTRIBUTION_ROLLUP = Rollup(
    table="contribution_rollup",
    of="contribution",
    keys=("money_stage", "basis", "contributor_type", "contributor", "currency", "country"),
    sums=("amount",),
    extremes=("amount", "updated", "as_of"),
)
# The total of a page is read from it, so it has a row for each kind and no more.
LEDGER_ROLLUP_BY_KIND = Rollup(table="ledger_entry_rollup_by_kind", of="ledger_entry", keys=("kind",), sums=("amount",))
LEDGER_ROLLUP_BY_DAY = Rollup(
    table="ledger_entry_rollup_by_day",
    of="ledger_entry",
    keys=("kind", "date"),
    sums=("amount",),
    extremes=("amount",),
    ends_of_now=True,
)
# OFFSET 0: PostgreSQL would compute the month anew for each of the twelve that it is compared with.
_CALENDAR = """CROSS JOIN LATERAL (
    SELECT extract(year FROM filtered.date)::int AS year, extract(month FROM filtered.date)::int AS month OFFSET 0
    ) AS calendar"""
# What statements of parties read: each year with its months. The fee of a deposit counts in the thematic area to which
# the deposit is restricted; that never changes, and the deposit is there before its fee or with it.
LEDGER_ROLLUP_BY_PARTY = Rollup(
    table="ledger_entry_rollup_by_party",
    of="ledger_entry",
    # The index of the keys finds the sums of one programme.
    keys=("programme", "organization", "contributor", "kind", "category", "thematic_area", "flags"),
    derived={
        "earmark": (
            "CASE WHEN filtered.kind = 'agent_fee' THEN (SELECT followed.thematic_area FROM public.ledger_entry AS"
            ' followed WHERE followed.code = filtered.follows COLLATE "C") ELSE filtered.thematic_area END',
            sa.Text,
        ),
        "year": ("calendar.year", sa.Integer),
    },
    sums=("amount",),
    parts=_CALENDAR,
    by_month="calendar.month",
)
# What of each commitment is paid and changed, as the statements of payments read it.
LEDGER_ROLLUP_BY_COMMITMENT = Rollup(
    table="ledger_entry_rollup_by_commitment",
    of="ledger_entry",
    of_some="filtered.kind IN ('commitment_amendment', 'deposit') AND filtered.follows IS NOT NULL",
    keys=("follows", "kind", "original_currency"),
    derived={
        "original_amount_stated": ("filtered.original_amount IS NOT NULL", sa.Boolean),
        "year": ("calendar.year", sa.Integer),
    },
    sums=("amount", "original_amount"),
    parts=_CALENDAR,
    by_month="calendar.month",
)
add_rollups(
    Base.metadata,
    (
        REQUIREMENT_ROLLUP_BY_POPULATIONS,
        REQUIREMENT_ROLLUP,
        REQUIREMENT_ROLLUP_BY_POPULATION,
        REQUIREMENT_ROLLUP_BY_TOPICS,
        REQUIREMENT_ROLLUP_BY_TOPIC,
        CONTRIBUTION_ROLLUP,
        LEDGER_ROLLUP_BY_KIND,
        LEDGER_ROLLUP_BY_PARTY,
        LEDGER_ROLLUP_BY_DAY,
        LEDGER_ROLLUP_BY_COMMITMENT,
    ),
)
