"""Reviews of assessments: who makes them, blind second ratings, appeals, and how far raters agree."""
