"""The states of a proposed transfer."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypeAliasType

ProposalState = TypeAliasType("ProposalState", Literal["proposed", "approved", "rejected", "withdrawn"])
"""What became of a proposed transfer.

- `proposed`: it waits for another person, and counts nowhere
- `approved`: another person approved it, and it is an entry of the ledger
- `rejected`: another person rejected it
- `withdrawn`: who proposed it has taken it back
"""
