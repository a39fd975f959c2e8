"""Rehearsals: the real gate decides on results that nobody has paid for.

What two versions might score, or what one has scored and is dealt out afresh, goes through the same
comparison and the same policy as the results of a run.
"""

from vcmp.rehearsal.gate import Rehearsal
from vcmp.rehearsal.growth import clusters_of, grown, plain
from vcmp.rehearsal.rules import all_keys, is_foreign, keys_of, leaves
from vcmp.rehearsal.runs import Row, Runs, runs_of

__all__ = [
    "Rehearsal",
    "Row",
    "Runs",
    "all_keys",
    "clusters_of",
    "grown",
    "is_foreign",
    "keys_of",
    "leaves",
    "plain",
    "runs_of",
]
