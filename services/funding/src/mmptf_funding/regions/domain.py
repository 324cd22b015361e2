"""The kinds of what an edition says about its regions: frameworks and their items, and groups of States."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypeAliasType

FrameworkKind = TypeAliasType(
    "FrameworkKind",
    Literal["strategy", "results_matrix", "agenda"],
)
"""What a framework is.

- `strategy`: priorities, objectives and principles of the work in a region, or of all work
- `results_matrix`: a strategy of which the results that it is to lead to are printed, too
- `agenda`: points that others have set out, which the publication repeats
"""

FrameworkLevel = TypeAliasType(
    "FrameworkLevel",
    Literal[
        "impact",
        "goal",
        "objective",
        "strategic_objective",
        "thematic_objective",
        "priority_area",
        "outcome",
        "output",
        "operational_result",
        "statement",
        "principle",
        "point",
    ],
)
"""Level of an item of a framework, closest to the publication's own word, which is given as printed beside it.

- `impact`: what all results of a matrix are to lead to
- `goal`: the highest aim of a strategy
- `objective`: an aim
- `strategic_objective`: an aim that is called strategic
- `thematic_objective`: an aim in one field of work
- `priority_area`: a field of work that comes first
- `outcome`: a change that results lead to
- `output`: a result of the work that leads to a change
- `operational_result`: a result within the organization itself
- `statement`: what an item above it means in particular, such as an activity
- `principle`: how all work is done
- `point`: a point of a list
"""

GroupKind = TypeAliasType(
    "GroupKind",
    Literal["regional_economic_community", "consultative_process", "other"],
)
"""What a group of States is.

- `regional_economic_community`: States whose economies are to grow together, such as ECOWAS
- `consultative_process`: States that confer on migration, such as the Almaty Process
- `other`: another group, also of organizations
"""
