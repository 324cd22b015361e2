"""What the marker service keeps of the Fund's ledger: what was allocated to programmes."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Literal

from pydantic import BaseModel

from mmptf_common.feed.replication import RemoteRecord, ReplicatedEntity, Replication
from mmptf_markers.models import AllocationRow

CURRENCY = "USD"


class Entry(BaseModel):
    """An entry of the ledger, as far as markers need to know it."""

    code: str
    kind: str


class Sum(BaseModel):
    """An amount, negative where the entry reverses another one."""

    amount: Decimal
    currency: Literal["USD"]


class Allocation(Entry):
    """What the Fund has allocated to a programme, or taken back."""

    programme: str
    sum: Sum


def allocation_row(document: RemoteRecord, at: datetime) -> AllocationRow | None:
    """The copy of an allocation, None for any other entry; ValidationError where the record lacks something."""
    if Entry.model_validate(document).kind != "allocation":
        return None
    allocation = Allocation.model_validate(document)
    return AllocationRow(
        code=allocation.code,
        programme=allocation.programme,
        amount=allocation.sum.amount,
        updated=at,
        document=allocation.model_dump(mode="json"),
    )


LEDGER = Replication("funding", (ReplicatedEntity("ledger_entry", AllocationRow, allocation_row),))
