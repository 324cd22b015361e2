"""The listing of accounting periods."""

from __future__ import annotations

from mmptf_common.lists.listing import SOURCED, Filter, Listing
from mmptf_funding.periods.schemas import AccountingPeriod, AccountingPeriodPage, PeriodQuery

PATH = "/funding/v1"

PERIODS = Listing(
    path=f"{PATH}/periods",
    entity="accounting_period",
    item=AccountingPeriod,
    page=AccountingPeriodPage,
    rows="accounting_period",
    query=PeriodQuery,
    sorts={"start": ("first_day", "date"), "code": ("code", "text")},
    filters={
        "status": Filter("status = ANY({}::text[])"),
        "on": Filter("{}::text::date BETWEEN first_day AND last_day"),
    },
    columns={
        "code": "code",
        "start": "first_day",
        "end": "last_day",
        "status": "status",
        "certified_on": "record#>>'{certification,date}'",
        "signatory": "record#>>'{certification,signatory,name}'",
        "signatory_function": "record#>>'{certification,signatory,function}'",
        "document_title": "record#>>'{certification,document,title}'",
        "document_url": "record#>>'{certification,document,url}'",
        "document_sha256": "record#>>'{certification,document,sha256}'",
        **SOURCED,
    },
)
