"""Gates: a policy's rules read a comparison, their findings make the verdict.

A rule is any callable that takes a comparison and a policy and returns a finding. One that looks at
the candidate alone says so with the class attribute `needs_baseline = False`, and is asked even
when there is nothing to compare with.
"""

from vcmp.gates.absolute import MaxRate, NoFailures, Threshold
from vcmp.gates.alarms import NoRegression
from vcmp.gates.combined import AllOf, AnyOf
from vcmp.gates.directions import wanted_low
from vcmp.gates.looks import is_decided, look_by_look
from vcmp.gates.names import check_primary
from vcmp.gates.policy import Policy, Rule
from vcmp.gates.ratios import MaxRatio
from vcmp.gates.relative import NonInferiority, Superiority
from vcmp.gates.verdicts import combine, decide, decide_all, decide_alone, rank, settle

__all__ = [
    "AllOf",
    "AnyOf",
    "MaxRate",
    "MaxRatio",
    "NoFailures",
    "NoRegression",
    "NonInferiority",
    "Policy",
    "Rule",
    "Superiority",
    "Threshold",
    "check_primary",
    "combine",
    "decide",
    "decide_all",
    "decide_alone",
    "is_decided",
    "look_by_look",
    "rank",
    "settle",
    "wanted_low",
]
