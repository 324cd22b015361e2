"""The routes of what an edition says about its regions: frameworks, offices, groups of States, acronyms."""

from mmptf_common.http import openapi
from mmptf_funding.editions.routes import add_list_of_edition
from mmptf_funding.regions import queries

router = openapi.Router()

add_list_of_edition(
    router,
    queries.FRAMEWORKS,
    about="What the work in a region, or all work, is to achieve and to follow, with its items as a tree.",
)
add_list_of_edition(
    router,
    queries.FRAMEWORK_ITEMS,
    about="Objectives, results, principles and points of all frameworks, one by one, in words of our own.",
)
add_list_of_edition(
    router, queries.OFFICES, about="The publisher's offices with a role in a region, and the countries that they cover."
)
add_list_of_edition(
    router,
    queries.GROUPS,
    about="Regional economic communities, consultative processes and other groups that the edition names.",
)
add_list_of_edition(
    router, queries.ACRONYMS, about="Acronyms and what they stand for, as the edition lists them by region."
)
