"""SQL of the current grade of each programme under each marker, which triggers store when records change.

current_grade        one row for each programme under each marker, with the parts of its money by place and organization
current_grade_count  the number of rows with the same grade, rubric and stages, and their money, so that totals of all
                     programmes take the same time for a hundred thousand as for one
The triggers are in the migrations. Past states are not stored: the SQL here derives them from the records of that time.
"""

from __future__ import annotations

from mmptf_markers.engine.rubric import STAGES

# Of each assessment the newest version that was decided on: one that was returned, or withdrawn, takes the place of the
# one that it corrects, so that nobody keeps a grade by leaving a return without an answer.
DECIDED = """
    SELECT * FROM (SELECT DISTINCT ON (programme, marker, stage, year) * FROM assessment WHERE status <> 'submitted'
                    ORDER BY programme, marker, stage, year, version DESC) AS newest
     WHERE status <> 'withdrawn'"""
_LIFE = ", ".join(f"'{stage}'" for stage in STAGES)
# What was assessed last counts: by the day of what was assessed, and then by the stage of the programme's life.
LATEST_FIRST = f"assessed_on DESC NULLS LAST, array_position(ARRAY[{_LIFE}], stage) DESC"
CURRENT_GRADE = f"""
    SELECT p.code || '.' || m.marker AS code, p.code AS programme, m.marker, p.stage, p.budget_stage, p.currency,
           p.amount, money.allocated,
           CASE a.status WHEN 'accepted' THEN a.code END AS assessment,
           CASE a.status WHEN 'accepted' THEN a.grade END AS grade,
           CASE a.status WHEN 'accepted' THEN a.rubric END AS rubric,
           CASE a.status WHEN 'accepted' THEN a.record->>'basis' END AS basis,
           coalesce(given.under_review, false) AS under_review, coalesce(a.status = 'returned', false) AS returned,
           greatest(p.updated, given.updated, money.updated) AS updated,
           parts_by_place(p.amount, p.countries, p.record) AS place_parts,
           parts_by_organization(p.amount, p.organizations, p.record, true) AS organization_parts,
           parts_by_place(money.allocated, p.countries, p.record) AS allocated_place_parts,
           parts_by_organization(money.allocated, p.organizations, p.record, p.currency = 'USD')
             AS allocated_organization_parts
      FROM programme AS p
     CROSS JOIN (SELECT DISTINCT record->>'marker' AS marker FROM rubric) AS m
      LEFT JOIN (SELECT DISTINCT ON (programme, marker) * FROM ({DECIDED}) AS decided
                  ORDER BY programme, marker, {LATEST_FIRST}) AS a ON a.programme = p.code AND a.marker = m.marker
      LEFT JOIN (SELECT programme, marker, bool_or(status = 'submitted') AS under_review, max(updated) AS updated
                   FROM assessment GROUP BY 1, 2) AS given
             ON given.programme = p.code AND given.marker = m.marker
      LEFT JOIN (SELECT programme, sum(amount) AS allocated, max(updated) AS updated
                   FROM allocation GROUP BY 1) AS money ON money.programme = p.code"""
_ALIKE = "marker, stage, budget_stage, currency, grade, rubric, basis"


def counts(alike: str, rows: str, further: str = "") -> str:
    """SQL that counts the rows with equal values, and sums their money: one row for each combination of values.

    alike: the columns that are compared; rows: the table, or the FROM and WHERE clauses, to count in
    further: more columns, each with a comma before it
    """
    numbers = ", ".join(str(n + 1) for n in range(alike.count(",") + 1))
    return (
        f"SELECT {alike}, count(*) AS programmes, count(amount) AS with_budget,"
        f" coalesce(sum(amount), 0) AS amount, count(allocated) AS with_allocation,"
        f" coalesce(sum(allocated), 0) AS allocated,"
        f" count(*) FILTER (WHERE under_review) AS under_review, count(*) FILTER (WHERE returned) AS returned{further}"
        f" FROM {rows} GROUP BY {numbers}"
    )


CURRENT_GRADE_COUNT = counts(_ALIKE, "current_grade")
