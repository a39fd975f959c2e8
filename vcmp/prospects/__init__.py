"""Prospects: what a policy can reach with a dataset, before anything is paid for.

occasions   what the gate is going to decide on
reach       whether a rule can pass at all
worlds      what the runs of an unchanged agent may score
chances     how often the gate comes to a verdict then
recordings  what the tracking store knows of the baseline
calls       what is asked of models at least
costs       and what that takes at worst
"""

from vcmp.prospects.calls import agent_calls, canary_calls, judge_calls
from vcmp.prospects.chances import Chance, chances, needed_cases, needed_repeats
from vcmp.prospects.costs import Cost, recorded_calls, worst_cost
from vcmp.prospects.occasions import Occasion, foresee
from vcmp.prospects.reach import Reach, barred, counted_cases, reaches, warning
from vcmp.prospects.recordings import Known, recall
from vcmp.prospects.worlds import (
    PASS_RATE,
    World,
    assumed,
    flips_of,
    is_repeated,
    lacking,
    recorded,
)

__all__ = [
    "PASS_RATE",
    "Chance",
    "Cost",
    "Known",
    "Occasion",
    "Reach",
    "World",
    "agent_calls",
    "assumed",
    "barred",
    "canary_calls",
    "chances",
    "counted_cases",
    "flips_of",
    "foresee",
    "is_repeated",
    "judge_calls",
    "lacking",
    "needed_cases",
    "needed_repeats",
    "reaches",
    "recall",
    "recorded",
    "recorded_calls",
    "warning",
    "worst_cost",
]
