"""Gates: a policy's rules read a comparison, their findings make the verdict.

A rule is any callable that takes a comparison and a policy and returns a finding. One that looks at
the candidate alone says so with the class attribute `needs_baseline = False`, and is asked even
when there is nothing to compare with.
"""

from vcmp.gates.absolute import MaxRate, NoFailures, Threshold
from vcmp.gates.alarms import NoRegression
from vcmp.gates.policy import Policy, Rule
from vcmp.gates.relative import MaxRatio, NonInferiority, Superiority
from vcmp.gates.verdicts import combine, decide, decide_alone, rank

__all__ = [
    "MaxRate",
    "MaxRatio",
    "NoFailures",
    "NoRegression",
    "NonInferiority",
    "Policy",
    "Rule",
    "Superiority",
    "Threshold",
    "combine",
    "decide",
    "decide_alone",
    "rank",
]
