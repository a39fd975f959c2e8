"""Hearing: a policy's rules are asked about one candidate."""

from collections.abc import Sequence
from dataclasses import replace

from vcmp.gates.absolute import NoFailures
from vcmp.gates.evidence import mean_of
from vcmp.gates.policy import Policy, Rule
from vcmp.types import Comparison, Finding


def needs_baseline(rule: Rule) -> bool:
    """Whether a rule compares; one that does not say so does."""
    return bool(getattr(rule, "needs_baseline", True))


def is_test(rule: Rule) -> bool:
    """Whether a rule may fail by chance at a level that it is given."""
    return getattr(rule, "evidence", "bound") == "bound" and not isinstance(rule, NoFailures)


def hear(
    rules: Sequence[Rule],
    comparison: Comparison,
    policy: Policy,
    further: Sequence[Comparison] = (),
) -> list[Finding]:
    """The findings of all rules.

    All have to pass, so a pass needs no correction. Any of them blocks, so they share alpha by
    Holm's steps: more metrics do not raise more false alarms. What is only reported takes no share.

    Args:
        further: The same candidate against other baselines; asked of the rules that compare.
    """
    asked = [(rule, comparison, "") for rule in rules]
    for other in further:
        name = other.baseline.version.name
        asked += [(rule, other, name) for rule in rules if _can_compare(rule, comparison, other)]
    tests = [place for place, (rule, _, _) in enumerate(asked) if is_test(rule)]
    findings: dict[int, Finding] = {}
    settled: set[int] = set()
    while True:
        share = 1 / max(1, len(tests) - len(settled))
        for place, (rule, compared, against) in enumerate(asked):
            if place not in settled:
                shared = policy.sharing(fails=share) if place in tests else policy
                findings[place] = replace(rule(compared, shared), against=against)
        lost = {place for place in tests if _is_lost(findings[place])}
        counted = [place for place in tests if not findings[place].report_only]
        if counted == tests and (lost == settled or len(lost) == len(tests)):
            return [findings[place] for place in range(len(asked))]
        tests, settled = counted, lost


def _can_compare(rule: Rule, comparison: Comparison, other: Comparison) -> bool:
    """Whether a rule may be asked about another baseline: pairwise judges saw the first one's
    outputs only."""
    metric = mean_of(getattr(rule, "metric", ""))
    pairwise = metric in comparison.candidate.scorers and metric not in other.candidate.scorers
    return needs_baseline(rule) and not pairwise


def _is_lost(finding: Finding) -> bool:
    return finding.outcome == "fail" or finding.alert != ""
