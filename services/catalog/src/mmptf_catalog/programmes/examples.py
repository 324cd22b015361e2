"""The examples of request bodies in the contract: invented, except for the codes."""

from typing import Any

CONTENT: dict[str, Any] = {
    "title": "Fair recruitment of seasonal workers",
    "summary": "Recruiters, employers and three ministries agree on rules that workers can hold them to.",
    "thematic_area": "4",
    "objectives": ["6", "18"],
    "places": [{"code": "KEN", "share": "60.00"}, {"code": "UGA", "share": "40.00"}],
    "organizations": ["IOM", "ILO"],
    "partners": [
        {"kind": "government_national", "name": "ministries of labour", "country": "KEN", "number": 2},
        {"kind": "civil_society", "name": "unions of farm workers", "country": "UGA", "number": None},
    ],
    "beneficiaries": [{"group": "migrant_workers", "name": "seasonal workers"}],
    "components": [
        {"number": 1, "name": "rules", "text": "Rules on fees and contracts of recruiters."},
        {"number": 2, "name": None, "text": "Complaints of workers, from the first call to the decision."},
    ],
    "localities": [{"place": "KEN", "name": "Nakuru County"}],
    "figures": [
        {
            "subject": "Seasonal workers who paid a recruiter",
            "value": "62",
            "unit": "per_cent",
            "qualifier": "approximately",
        }
    ],
    "duration": {"start": "2027-01-01", "end": "2028-12-31"},
    "budget": "2140000.00",
    "budget_lines": [
        {"organization": "IOM", "year": 2027, "category": "staff_and_personnel", "amount": "600000.00"},
        {"organization": "IOM", "year": 2028, "category": "contractual_services", "amount": "400000.00"},
        {"organization": "IOM", "year": 2027, "category": "indirect_costs", "amount": "70000.00"},
        {"organization": "ILO", "year": 2027, "category": "transfers_and_grants", "amount": "1000000.00"},
        {"organization": "ILO", "year": 2028, "category": "indirect_costs", "amount": "70000.00"},
    ],
}
DRAFT = {"programme_code": "KEN-UGA-02", **CONTENT}
AMENDMENT = {"reason": "The steering committee asked for shares of the countries.", "summary": CONTENT["summary"]}
STATUS = {
    "status": "not_selected",
    "date": "2026-06-30",
    "reason": "Not among the programmes that were chosen for funding.",
    "decision": "Steering Committee, 30 June 2026",
}
EXTENSION = {
    "end": "2029-06-30",
    "reason": "Elections delayed the training of officials.",
    "decision": "Steering Committee, 30 June 2026",
}
STATUS_BATCH = {"changes": [{"programme": "PER-01", "etag": "*", **STATUS}]}
