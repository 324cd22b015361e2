"""SQL of the current grade of each programme under each marker, which triggers store when records change.

current_grade                  one row for each programme under each marker, with all by which programmes are divided,
                               and the parts of its money by place and organization
current_grade_count            the number of rows with the same grade, rubric and stages, and their money, so that
                               totals of all programmes take the same time for a hundred thousand as for one
current_grade_rollup_by_group  the same by group of each division, with the part of their money that is the group's
The triggers are in the migrations. Past states are not stored: the SQL here derives them from the records of that time,
those of the programmes of which anything was written since; all others are as they are now.
"""

from __future__ import annotations

from collections.abc import Mapping

from mmptf_markers.engine.rubric import STAGES

# The levels of regions, and the columns with the region of each of a programme's countries.
LEVELS = {"region": "regions", "subregion": "subregions", "intermediate_region": "intermediate_regions"}


def decided(assessments: str) -> str:
    """SQL of the newest version of each assessment that was decided on.

    One that was returned, or withdrawn, takes the place of the one that it corrects, so that nobody keeps a grade by
    leaving a return without an answer.
    assessments: the table
    """
    return f"""
    SELECT * FROM (SELECT DISTINCT ON (programme, marker, stage, year) * FROM {assessments} WHERE status <> 'submitted'
                    ORDER BY programme, marker, stage, year, version DESC) AS newest
     WHERE status <> 'withdrawn'"""


DECIDED = decided("assessment")
_LIFE = ", ".join(f"'{stage}'" for stage in STAGES)
# What was assessed last counts: by the day of what was assessed, and then by the stage of the programme's life.
LATEST_FIRST = f"assessed_on DESC NULLS LAST, array_position(ARRAY[{_LIFE}], stage) DESC"


# The regions of each country of the programme `p`, in the order of its countries, and one without a value where it has
# none. One look at all places, which a join would read for each programme.
_OF_PLACE = ", ".join(f"record->'{level}'" for level in LEVELS)
_OF_COUNTRIES = ", ".join(f"array_agg(levels->>{n} ORDER BY n) AS {column}" for n, column in enumerate(LEVELS.values()))
_WITHIN = f"""(
         SELECT {_OF_COUNTRIES}
           FROM (SELECT n, (SELECT jsonb_object_agg(code, json_build_array({_OF_PLACE})) FROM place)->country AS levels
                   FROM unnest(CASE p.countries WHEN '{{}}' THEN '{{NULL}}' ELSE p.countries END)
                        WITH ORDINALITY AS listed(country, n) OFFSET 0) AS of_country)"""


def current_grades(programmes: str, assessments: str, allocations: str) -> str:
    """SQL of the current grades of programmes; each argument is the table that its records are in."""
    return f"""
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
             AS allocated_organization_parts,
           p.thematic_area, CASE a.status WHEN 'accepted' THEN a.stage END AS assessed_stage, p.countries,
           p.organizations, {", ".join(LEVELS.values())}
      FROM {programmes} AS p
     CROSS JOIN LATERAL {_WITHIN} AS within
     CROSS JOIN (SELECT DISTINCT record->>'marker' AS marker FROM rubric) AS m
      LEFT JOIN (SELECT DISTINCT ON (programme, marker) * FROM ({decided(assessments)}) AS decided
                  ORDER BY programme, marker, {LATEST_FIRST}) AS a ON a.programme = p.code AND a.marker = m.marker
      LEFT JOIN (SELECT programme, marker, bool_or(status = 'submitted') AS under_review, max(updated) AS updated
                   FROM {assessments} GROUP BY 1, 2) AS given
             ON given.programme = p.code AND given.marker = m.marker
      LEFT JOIN (SELECT programme, sum(amount) AS allocated, max(updated) AS updated
                   FROM {allocations} GROUP BY 1) AS money ON money.programme = p.code"""


CURRENT_GRADE = current_grades("programme", "assessment", "allocation")
_COLUMNS = """code, programme, marker, stage, budget_stage, currency, amount, allocated, assessment, grade, rubric,
    basis, under_review, returned, updated, place_parts, organization_parts, allocated_place_parts,
    allocated_organization_parts, thematic_area, assessed_stage, countries, organizations, regions, subregions,
    intermediate_regions"""
# The tables of records that a current grade is made of, and the column that names the programme.
_RECORDS = {"programme": "code", "assessment": "programme", "allocation": "programme"}
# What current grades have of a place.
_PLACE = ", ".join(["code", *(f"record->>'{level}' AS {column}" for level, column in LEVELS.items())])
_IS_AS_THEN = "NOT EXISTS (SELECT FROM current_grade_written AS written WHERE written.programme = s.programme)"


def earlier_current_grades(number: str) -> Mapping[str, str]:
    """SQL of the current grades as of a revision, and of the tables that they are made of, by name.

    Those of programmes of which nothing was written since are as they are now. The others are derived from the records
    of then, so that the time grows with what was written since.
    number: SQL of the number of the revision
    """
    markers = "SELECT record->>'marker' AS marker FROM"
    rows = {"current_grade_written": _written_since(number)}
    for table, column in _RECORDS.items():
        of_written = _looked_up("*", f"{table}_present", f"{column} = written.programme")
        # What was replaced since is of such programmes, all of it.
        rows[f"{table}_of_written"] = f"{of_written} UNION ALL SELECT * FROM {table}_replaced"
    rows["current_grade_then"] = current_grades(*(f"{table}_of_written" for table in _RECORDS))
    # Under a marker that was new since nobody had a grade.
    rows["current_grade_since"] = f"""
        {_looked_up(_COLUMNS, "public.current_grade", "programme = written.programme")}
         UNION ALL SELECT found.* FROM ({markers} public.rubric EXCEPT {markers} rubric) AS new
         CROSS JOIN LATERAL (SELECT {_COLUMNS} FROM public.current_grade AS s
                              WHERE marker = new.marker AND {_IS_AS_THEN} OFFSET 0) AS found"""
    rows["current_grade"] = f"""
        SELECT {_COLUMNS} FROM public.current_grade AS s WHERE marker IN ({markers} rubric) AND {_IS_AS_THEN}
         UNION ALL SELECT {_COLUMNS} FROM current_grade_then"""
    return rows


def _looked_up(columns: str, table: str, where: str) -> str:
    """SQL of the rows of a table for each programme in `current_grade_written`."""
    # OFFSET 0, as elsewhere here: each is looked up. A join would read the table as a whole.
    return (
        "SELECT found.* FROM current_grade_written AS written"
        f" CROSS JOIN LATERAL (SELECT {columns} FROM {table} WHERE {where} OFFSET 0) AS found"
    )


def _written_since(number: str) -> str:
    """SQL of the programmes whose current grades may be others than at a revision: they were written to since, or a
    place of theirs came to be in another region.
    """
    written = [
        f"SELECT {column} AS programme FROM public.{table} WHERE revised > {number}"
        f" UNION SELECT {column} FROM {table}_past WHERE replaced > {number}"
        for table, column in _RECORDS.items()
    ]
    now = f"SELECT {_PLACE} FROM public.place WHERE revised > {number}"
    then = f"SELECT {_PLACE} FROM place_past WHERE revised <= {number} AND replaced > {number}"
    moved = f"({now} EXCEPT {then}) UNION ALL ({then} EXCEPT {now})"
    written.append(
        f"SELECT found.code FROM ({moved}) AS moved CROSS JOIN LATERAL"
        " (SELECT code FROM public.programme WHERE countries @> ARRAY[moved.code] OFFSET 0) AS found"
    )
    return " UNION ".join(written)


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
