"""The sections of the report counted by hand, from the records of programmes and assessments."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from mmptf_markers.engine.rubric import NOT_APPLICABLE, STAGES
from tests.integration.marked import Json

DESIGN = ("concept_note", "programme_document")
TARGET = ("A", "B")
Numbers = dict[str, int]


class Recount:
    """Programmes and their assessments on one day; every figure is counted from the records one by one.

    rubrics: code -> its content; allocated: programme -> sum; actions: all that are listed
    """

    def __init__(
        self,
        programmes: Iterable[Json],
        assessments: Iterable[Json],
        rubrics: Mapping[str, Json],
        day: date,
        allocated: Mapping[str, Decimal],
        actions: Iterable[Json],
    ) -> None:
        self.programmes = {each["code"]: each for each in programmes if each["stage"] == "funded"}
        self.assessments = [each for each in assessments if each["programme"] in self.programmes]
        self.rubrics, self.day, self.allocated = rubrics, day, allocated
        self.listed_actions = list(actions)
        self.current = {code: self.latest(code, self.decided()) for code in self.programmes}

    def newest(self, records: Iterable[Json]) -> list[Json]:
        """Of each assessment the newest version, unless it was withdrawn."""
        found: dict[Any, Json] = {}
        for each in sorted(records, key=lambda each: each["version"]):
            found[each["programme"], each["stage"], each["year"]] = each
        return [each for each in found.values() if each["status"] != "withdrawn"]

    def decided(self) -> list[Json]:
        return self.newest(each for each in self.assessments if each["status"] != "submitted")

    def latest(self, code: str, records: Iterable[Json]) -> Json | None:
        """What was assessed last of a programme, where it is accepted."""
        own = [each for each in records if each["programme"] == code]
        last = max(own, key=lambda each: (each["assessed_on"], STAGES.index(each["stage"])), default=None)
        return last if last and last["status"] == "accepted" else None

    def graded(self) -> list[Json]:
        return [each for each in self.current.values() if each]

    def headline(self) -> Numbers:
        found = Counter[str]()
        for code in self.programmes:
            current = self.current[code]
            own = [each for each in self.assessments if each["programme"] == code]
            decided = [each for each in self.decided() if each["programme"] == code]
            last = max(decided, key=lambda each: (each["assessed_on"], STAGES.index(each["stage"])), default=None)
            if current is None:
                waits = any(each["status"] == "submitted" for each in own)
                is_returned = last is not None and last["status"] == "returned"
                found["waiting" if waits else "returned" if is_returned else "nothing"] += 1
            elif current["grade"] not in TARGET:
                found["another_grade"] += 1
            else:
                found["with_grade"] += 1
                found["declared" if current["rubric"] is None else "reviewed"] += 1
                status = current["rubric"] and current["rubric"]["status"]
                found["official"] += status == "official"
                found["counted"] += status != "illustrative"
        names = (
            "with_grade", "reviewed", "declared", "official", "counted", "another_grade", "waiting", "returned",
            "nothing",
        )  # fmt: skip
        return {"programmes": len(self.programmes), **{name: found[name] for name in names}}

    def states(self, records: Sequence[Json]) -> Numbers:
        """How many programmes have an assessment of each state among these, each the newest version of its document."""
        of = {
            name: {each["programme"] for each in records if status is None or each["status"] == status}
            for name, status in (
                ("submitted", None), ("waiting", "submitted"), ("returned", "returned"), ("accepted", "accepted"),
            )
        }  # fmt: skip
        return {name: len(programmes) for name, programmes in of.items()}

    def funnel(self) -> Json:
        newest = self.newest(self.assessments)
        answered = self.states([each for each in newest if each["rubric"]])
        by_rubric = defaultdict(list)
        for each in newest:
            by_rubric[rubric_of(each)].append(each)
        year = self.day.year - 1
        ran = {code for code, each in self.programmes.items() if ran_in(each, year)}
        annual = [e for e in newest if (e["stage"], e["year"]) == ("annual_report", year) and e["programme"] in ran]
        begun = [each for each in self.programmes.values() if start_of(each) <= self.day.isoformat()]
        return {
            "funded": len(self.programmes),
            "due": len(begun),
            "submitted": answered["submitted"],
            "waiting": answered["waiting"],
            "returned": answered["returned"],
            "reviewed": answered["accepted"],
            "declared": self.states(by_rubric[None])["accepted"],
            "editions": {code: self.states(found) for code, found in by_rubric.items() if found},
            "annual_report": {"year": year, "due": len(ran), **self.states(annual)},
        }

    def reviews(self) -> dict[str, Json]:
        found = {}
        for code, records in self.by_rubric().items():
            grades = [each["code"] for each in self.rubrics[code]["grades"]]
            values = [level["value"] for level in self.rubrics[code]["scale"]["levels"]]
            pairs = [(each["derived"]["grade"] or each["declared_grade"], each["grade"]) for each in records]
            changes: dict[str, Counter[str]] = defaultdict(Counter)
            for each in records:
                for criterion, given in each["answers"].items():
                    own = each["reviewed"]["answers"].get(criterion)
                    changes[criterion][change_of(values, given["answer"], own and own["answer"])] += 1
            found[code] = {
                "programmes": len(records),
                "lowered": sum(grades.index(reported) < grades.index(grade) for reported, grade in pairs),
                "raised": sum(grades.index(reported) > grades.index(grade) for reported, grade in pairs),
                "grades": [
                    (code, sum(r == code for r, _ in pairs), sum(g == code for _, g in pairs)) for code in grades
                ],
                "pairs": sorted((*pair, number) for pair, number in Counter(pairs).items()),
                "criteria": {
                    criterion: (
                        counted.total(), counted["lowered"], counted["raised"], counted["applicability"],
                    )
                    for criterion, counted in changes.items()
                },
            }  # fmt: skip
        return found

    def by_rubric(self) -> dict[str, list[Json]]:
        found = defaultdict(list)
        for each in self.graded():
            if code := rubric_of(each):
                found[code].append(each)
        return found

    def criteria(self) -> dict[str, Json]:
        found = {}
        for code, records in self.by_rubric().items():
            rubric = self.rubrics[code]
            best = Fraction(rubric["scale"]["levels"][-1]["value"])
            shares = []
            for criterion in (each["code"] for each in rubric["criteria"]):
                values = [v for each in records if (v := counting(each).get(criterion)) not in (None, NOT_APPLICABLE)]
                if values:
                    share = sum(map(Fraction, values), Fraction()) / len(values) / best
                    shares.append((share, criterion, len(values)))
            shares.sort()
            core = {each["code"] for each in rubric["criteria"] if each.get("core")}
            floors = []
            for floor in rubric.get("core_floors", ()):
                missed = [
                    {c for c, v in counting(each).items() if c in core and v != NOT_APPLICABLE and v < floor["below"]}
                    for each in records
                ]
                by_criterion = Counter(criterion for criteria in missed for criterion in criteria)
                floors.append((floor["below"], floor["cap"], sum(map(bool, missed)), dict(by_criterion)))
            found[code] = {
                "programmes": len(records),
                "weakest": shares[:3],
                "strongest": shares[3:][::-1][:3],
                "missed_floors": floors,
            }
        return found

    def delivery(self) -> Json:
        found = Counter[str]()
        listed = {}
        for code in self.programmes:
            decided = self.decided()
            design = self.latest(code, [each for each in decided if each["stage"] in DESIGN])
            delivery = self.latest(code, [each for each in decided if each["stage"] not in DESIGN])
            if design is None or delivery is None:
                continue
            change = "not_comparable"
            if rubric_of(design) and rubric_of(design) == rubric_of(delivery):
                # A is before B.
                change = {0: "same", 1: "improved", -1: "fell"}[
                    (delivery["grade"] < design["grade"]) - (delivery["grade"] > design["grade"])
                ]
            fell_below = design["grade"] in TARGET and delivery["grade"] not in TARGET
            found.update(["programmes", change, *["fell_below"] * fell_below])
            listed[code] = (design["grade"], delivery["grade"], change, fell_below)
        names = ("programmes", "improved", "same", "fell", "not_comparable", "fell_below")
        return {**{name: found[name] for name in names}, "listed": listed}

    def actions(self) -> dict[tuple[str, str | None], tuple[int, ...]]:
        """How many are planned, open, done, replaced, dropped and overdue."""
        found: dict[tuple[str, str | None], list[int]] = defaultdict(lambda: [0] * 6)
        for kind in ("action", "measure"):
            _ = found[kind, None]
        today = self.day.isoformat()
        for each in self.listed_actions:
            if each["programme"] in self.programmes:
                overdue = each["state"] == "open" and (each["due"] or "9") < today
                states = [each["state"] == state for state in ("open", "done", "replaced", "dropped")]
                for organization in (None, each["organization"]):
                    for at, is_one in enumerate((True, *states, overdue)):
                        found[each["kind"], organization][at] += is_one
        return {key: tuple(numbers) for key, numbers in found.items()}

    def agreement(self) -> dict[str, tuple[int, Fraction | None]]:
        """By rubric: how many answers assessor and reviewer both put on the scale, and the share that is the same."""
        pairs: dict[str, list[bool]] = defaultdict(list)
        for each in self.assessments:
            if each["reviewed"]:
                rubric = f"{each['rubric']['code']}.{each['rubric']['version']}"
                for criterion, said in each["answers"].items():
                    own = each["reviewed"]["answers"].get(criterion, said)["answer"]
                    found = pairs[rubric]
                    if NOT_APPLICABLE not in (own, said["answer"]):
                        found.append(own == said["answer"])
        return {rubric: (len(same), Fraction(sum(same), len(same)) if same else None) for rubric, same in pairs.items()}

    def course(self) -> dict[str, tuple[int, int]]:
        """By year: how many have a grade of the target at its end, and how many of them count for it.

        At each moment what is known now counts of what was assessed by then.
        """
        decided = self.decided()
        if not self.all_dates():
            return {}
        found = {}
        for year in range(int(min(self.all_dates())[:4]), self.day.year + 1):
            then = [each for each in decided if each["assessed_on"] <= f"{year}-12-31"]
            last = [each for code in self.programmes if (each := self.latest(code, then))]
            good = [each for each in last if each["grade"] in TARGET]
            official = [each for each in good if not each["rubric"] or each["rubric"]["status"] == "official"]
            found[f"{year}-12-31"] = (len(good), len(official))
        return found

    def all_dates(self) -> list[str]:
        return [each["assessed_on"] for each in self.assessments]

    def money(self) -> dict[str | None, Json]:
        found: dict[str | None, Json] = {}
        for code, each in self.programmes.items():
            current = self.current[code]
            grade = current["grade"] if current else None
            own = found.setdefault(
                grade, {"programmes": 0, "budgets": {}, "without_budget": 0, "allocated": None, "without_allocation": 0}
            )
            own["programmes"] += 1
            if budget := each["budget"]:
                key = budget["stage"], budget["currency"]
                own["budgets"][key] = own["budgets"].get(key, Decimal(0)) + Decimal(budget["amount"])
            else:
                own["without_budget"] += 1
            if code in self.allocated:
                own["allocated"] = (own["allocated"] or Decimal(0)) + self.allocated[code]
            else:
                own["without_allocation"] += 1
        return found


def rubric_of(record: Json) -> str | None:
    used = record["rubric"]
    return f"{used['code']}.{used['version']}" if used else None


def counting(record: Json) -> dict[str, Any]:
    """The answers that count of an assessment: the reviewer's in place of those that it rejected."""
    own = record["reviewed"]["answers"]
    return {code: own[code]["answer"] if code in own else given["answer"] for code, given in record["answers"].items()}


def change_of(values: list[Any], given: Any, own: Any) -> str:
    if own is None:
        return "same"
    if NOT_APPLICABLE in (given, own):
        return "applicability"
    return "lowered" if values.index(own) < values.index(given) else "raised"


def start_of(programme: Json) -> str:
    duration = programme["duration"]
    return str(duration["start"]) if duration else ""


def ran_in(programme: Json, year: int) -> bool:
    duration = programme["duration"]
    return duration is None or int(duration["start"][:4]) <= year <= int(duration["end"][:4])
