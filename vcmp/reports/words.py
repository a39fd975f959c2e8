"""The verdict in words."""

from collections.abc import Callable
from typing import NamedTuple

from vcmp.reports.lookups import baseline_of, is_decided
from vcmp.reports.numbers import plural
from vcmp.types import Conclusion, Finding, Outcome

SIGNS: dict[Outcome, str] = {"pass": "✅", "fail": "❌", "inconclusive": "⚠️", "invalid": "⚠️"}
"""Only ever beside the word."""


def said_by(finding: Finding) -> str:
    """The outcome of a rule in a word; of one that does not count, that it does not."""
    return "report only" if finding.report_only else finding.outcome


class Voice(NamedTuple):
    """How a text sets off what is not vcmp's own words."""

    name: Callable[[str], str]
    sentence: Callable[[str], str]
    """For what a gate says, with names and numbers in it."""


def headline(conclusion: Conclusion, quote: Callable[[str], str]) -> str:
    """What to do, in one sentence.

    Args:
        quote: How names are set off.
    """
    if not is_decided(conclusion):
        return _undecided(conclusion, quote)
    if not conclusion.baseline:
        return f"{_alone(conclusion, quote)} (nothing was compared)"
    verdicts = conclusion.verdicts
    if len(verdicts) == 1:
        return _about_one(verdicts[0].outcome, quote(verdicts[0].variant))
    shipping = [quote(verdict.variant) for verdict in verdicts if verdict.outcome == "pass"]
    if conclusion.outcome == "pass" and len(shipping) < len(verdicts):
        return _about_chosen(conclusion, len(shipping), quote)
    best = f", best {quote(conclusion.best)}" if conclusion.best else ""
    if conclusion.outcome == "pass":
        passing = f"{len(shipping)} may ship{best}"
    elif len(shipping) == 1:
        passing = f"only {shipping[0]} passes"
    else:
        passing = f"{len(shipping)} pass{best}" if shipping else "none passes"
    return _about_all(conclusion, "candidate", passing, quote)


def _undecided(conclusion: Conclusion, quote: Callable[[str], str]) -> str:
    names = [quote(evaluation.version.variant.name) for evaluation in conclusion.evaluations]
    baseline = baseline_of(conclusion)
    if not baseline:
        what = names[0] if len(names) == 1 else plural(len(names), "version")
        return f"evaluated {what}, compared with nothing"
    what = names[1] if len(names) == 2 else plural(len(names) - 1, "candidate")
    why = f": {_gate(conclusion, quote)} has no rule" if conclusion.verdicts else ""
    return f"compared {what} with {names[0]}, nothing decided{why}"


def _gate(conclusion: Conclusion, quote: Callable[[str], str]) -> str:
    return f"gate {quote(conclusion.gate)}" if conclusion.gate else "the gate"


def _alone(conclusion: Conclusion, quote: Callable[[str], str]) -> str:
    verdicts = conclusion.verdicts
    if len(verdicts) > 1:
        n_passed = sum(verdict.outcome == "pass" for verdict in verdicts)
        others = f"{n_passed or 'none'} {'passes' if n_passed == 1 else 'pass'}"
        if n_passed == len(verdicts):
            others += f" {_gate(conclusion, quote)}"
        return _about_all(conclusion, "version", others, quote)
    name, gate = quote(verdicts[0].variant), _gate(conclusion, quote)
    match verdicts[0].outcome:
        case "pass":
            return f"{name} passes {gate}"
        case "fail":
            return f"{name} does not pass {gate}"
        case "inconclusive":
            return f"too little evidence that {name} passes {gate}"
        case "invalid":
            return f"the evidence about {name} cannot be judged"


def _about_chosen(conclusion: Conclusion, n_passed: int, quote: Callable[[str], str]) -> str:
    """One candidate was looked for, and the others need not pass."""
    others = f"{len(conclusion.verdicts)} candidates"
    which = f"the only one of {others} that passes"
    if n_passed > 1:
        which = f"the best of the {n_passed} that pass among {others}"
    return f"{quote(conclusion.best)} may ship, {which} (they share alpha)"


def _about_all(conclusion: Conclusion, noun: str, passing: str, quote: Callable[[str], str]) -> str:
    """How many have the outcome of the sweep and why, then what became of the others."""
    n = len(conclusion.verdicts)
    outcomes = [verdict.outcome for verdict in conclusion.verdicts]
    n_gravest = outcomes.count(conclusion.outcome)
    every = f"both {noun}s" if n == 2 else f"all {plural(n, noun)}"
    if conclusion.outcome == "pass":
        return f"{every} {passing.removeprefix(f'{n} ')}"
    who = every if n_gravest == n else f"{n_gravest} of {plural(n, noun)}"
    verb, plural_verb = _VERBS[conclusion.outcome]
    happened = f"{who} {verb if n_gravest == 1 else plural_verb} {_gate(conclusion, quote)}"
    return happened if n_gravest == n else f"{happened}; {passing}"


_VERBS: dict[Outcome, tuple[str, str]] = {
    "fail": ("fails", "fail"),
    "inconclusive": ("lacks evidence to pass", "lack evidence to pass"),
    "invalid": ("cannot be judged by", "cannot be judged by"),
}
"""Of one version, and of several."""


def _about_one(outcome: Outcome, name: str) -> str:
    match outcome:
        case "pass":
            return f"{name} may ship"
        case "fail":
            return f"{name} should not ship"
        case "inconclusive":
            return f"too little evidence to ship {name}"
        case "invalid":
            return f"the evidence about {name} cannot be judged"
