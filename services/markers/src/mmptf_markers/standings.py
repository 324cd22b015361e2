"""What counts for each programme under each marker: derived from the records, and kept by the database as they change.

standing        one row for each programme under each marker
standing_count  how many of them have the same grade, rubric and stages, and their money, so that what all programmes
                add up to takes as long for a hundred thousand as for one
Of the past neither is kept: each is derived anew from the records of then.
"""

from __future__ import annotations

from mmptf_markers.engine.rubric import STAGES

_LIFE = ", ".join(f"'{stage}'" for stage in STAGES)
_STANDING = f"""
    SELECT p.code || '.' || m.marker AS code, p.code AS programme, m.marker, p.stage, p.budget_stage, p.currency,
           p.amount, money.allocated, a.code AS assessment, a.grade, a.rubric,
           coalesce(given.under_review, false) AS under_review,
           greatest(p.updated, given.updated, money.updated) AS updated
      FROM programme AS p
     CROSS JOIN (SELECT DISTINCT document->>'marker' AS marker FROM rubric) AS m
      LEFT JOIN (SELECT DISTINCT ON (programme, marker) * FROM assessment WHERE status = 'accepted' {{and_of}}
                  ORDER BY programme, marker, array_position(ARRAY[{_LIFE}], stage) DESC, year DESC NULLS LAST,
                           version DESC) AS a ON a.programme = p.code AND a.marker = m.marker
      LEFT JOIN (SELECT programme, marker, bool_or(status = 'submitted') AS under_review, max(updated) AS updated
                   FROM assessment WHERE true {{and_of}} GROUP BY 1, 2) AS given
             ON given.programme = p.code AND given.marker = m.marker
      LEFT JOIN (SELECT programme, sum(amount) AS allocated, max(updated) AS updated
                   FROM allocation WHERE true {{and_of}} GROUP BY 1) AS money ON money.programme = p.code
     WHERE true {{and_this}}"""
_ALIKE = "marker, stage, budget_stage, currency, grade, rubric"
_COUNTED = ("programmes", "with_budget", "amount", "with_allocation", "allocated", "under_review")


def counts(alike: str, rows: str, sign: str = "") -> str:
    """SQL of how many standings are alike, and of their money: one row for each combination of values.

    alike: the columns whose values make them so; sign: `-` to take away instead of adding
    """
    numbers = ", ".join(str(n + 1) for n in range(alike.count(",") + 1))
    return (
        f"SELECT {alike}, {sign}count(*) AS programmes, {sign}count(amount) AS with_budget,"
        f" {sign}coalesce(sum(amount), 0) AS amount, {sign}count(allocated) AS with_allocation,"
        f" {sign}coalesce(sum(allocated), 0) AS allocated,"
        f" {sign}count(*) FILTER (WHERE under_review) AS under_review FROM {rows} GROUP BY {numbers}"
    )


STANDING = _STANDING.format(and_of="", and_this="")
STANDING_COUNT = counts(_ALIKE, "standing")

# Not `= ANY(codes)`: where the planner reads a whole table, each row would be compared with one code after the other.
_OF_SOME = _STANDING.format(
    and_of="AND programme IN (SELECT unnest(codes))", and_this="AND p.code IN (SELECT unnest(codes))"
)
_ADD = f"INSERT INTO standing_count AS counted ({_ALIKE}, {', '.join(_COUNTED)}) {{counts}} ON CONFLICT ({_ALIKE})" + (
    f" DO UPDATE SET {', '.join(f'{name} = counted.{name} + excluded.{name}' for name in _COUNTED)}"
)
_RESTATE = f"""
CREATE FUNCTION restate(codes text[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  WITH gone AS (DELETE FROM standing WHERE programme IN (SELECT unnest(codes)) RETURNING *)
  {_ADD.format(counts=counts(_ALIKE, "gone", sign="-"))};
  WITH come AS (INSERT INTO standing {_OF_SOME} RETURNING *)
  {_ADD.format(counts=counts(_ALIKE, "come"))};
  DELETE FROM standing_count WHERE programmes = 0;
END $$
"""
# A rubric may be of a marker that none was of: then every programme has one standing more.
_KEEP = """
CREATE FUNCTION keep_standings() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  codes text[];
  others text[];
BEGIN
  IF TG_TABLE_NAME = 'rubric' THEN
    SELECT array_agg(code) INTO codes FROM programme;
  ELSE
    IF TG_OP <> 'INSERT' THEN
      EXECUTE format('SELECT array_agg(%I) FROM old_rows', TG_ARGV[0]) INTO codes;
    END IF;
    IF TG_OP <> 'DELETE' THEN
      EXECUTE format('SELECT array_agg(%I) FROM new_rows', TG_ARGV[0]) INTO others;
    END IF;
    codes := codes || others;
  END IF;
  IF codes IS NOT NULL THEN
    PERFORM restate(codes);
  END IF;
  RETURN NULL;
END $$
"""


def begin_standings() -> list[str]:
    """The statements that make the database keep both tables, which have to be there, from what the records say now."""
    statements = [_RESTATE, _KEEP, "CREATE TRIGGER standings AFTER INSERT ON rubric EXECUTE FUNCTION keep_standings()"]
    for table, column in (("programme", "code"), ("assessment", "programme"), ("allocation", "programme")):
        for event, rows in (
            ("INSERT", "NEW TABLE AS new_rows"),
            ("UPDATE", "OLD TABLE AS old_rows NEW TABLE AS new_rows"),
            ("DELETE", "OLD TABLE AS old_rows"),
        ):
            statements.append(
                f"CREATE TRIGGER standings_{event.lower()} AFTER {event} ON {table} REFERENCING {rows}"
                f" FOR EACH STATEMENT EXECUTE FUNCTION keep_standings('{column}')"
            )
    return [*statements, "SELECT restate(array_agg(code)) FROM programme"]
