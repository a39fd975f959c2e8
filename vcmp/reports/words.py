"""The verdict in words, and the lookups that report, screen and JSON share."""

from collections.abc import Callable

from vcmp.reports.numbers import plural
from vcmp.types import Comparison, Conclusion, Delta, Evaluation, Finding, Outcome, Verdict

SIGNS: dict[Outcome, str] = {"pass": "✅", "fail": "❌", "inconclusive": "⚠️", "invalid": "⚠️"}
"""Only ever beside the word."""


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
    best = f", best {quote(conclusion.best)}" if conclusion.best else ""
    if len(shipping) == 1:
        return _about_all(conclusion, "candidate", f"only {shipping[0]} may ship", quote)
    may = f"{len(shipping) or 'none'} may ship{best}"
    return _about_all(conclusion, "candidate", may, quote)


def is_judged(verdict: Verdict) -> bool:
    """Whether any rule was asked: a gate without one lets everything pass and decides nothing."""
    return bool(verdict.findings) or verdict.outcome != "pass"


def is_decided(conclusion: Conclusion) -> bool:
    """Whether any version was judged."""
    return any(map(is_judged, conclusion.verdicts))


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


def answered_by(conclusion: Conclusion) -> list[str]:
    """Who answered, once each, in the order of the versions."""
    answerers = (evaluation.answerer for evaluation in conclusion.evaluations)
    return list(dict.fromkeys(answerer.description or answerer.name for answerer in answerers))


def is_scripted(conclusion: Conclusion) -> bool:
    """Whether any version was answered without a language model."""
    return any(evaluation.answerer.scripted for evaluation in conclusion.evaluations)


def baseline_of(conclusion: Conclusion) -> Evaluation | None:
    """The evaluation the others are compared with."""
    return conclusion.evaluations[0] if conclusion.baseline else None


def comparison_of(conclusion: Conclusion, evaluation: Evaluation) -> Comparison | None:
    """The comparison in which `evaluation` is the candidate."""
    if evaluation is baseline_of(conclusion):
        return None
    name = evaluation.version.name
    return next((c for c in conclusion.comparisons if c.candidate.version.name == name), None)


def known_metrics(comparison: Comparison) -> dict[str, Delta]:
    """The deltas that mean something: neither latency nor cost when answers were scripted."""
    sides = (comparison.baseline, comparison.candidate)
    scripted = any(side.answerer.scripted for side in sides)
    unknown = {"latency_s", "cost_usd"} if scripted else set()
    return {name: delta for name, delta in comparison.deltas.items() if name not in unknown}


def verdict_of(conclusion: Conclusion, evaluation: Evaluation) -> Verdict | None:
    """The verdict about `evaluation`; None for the baseline."""
    if evaluation is baseline_of(conclusion):
        return None
    name = evaluation.version.name
    return next((v for v in conclusion.verdicts if v.candidate == name), None)


def scorer_of(finding: Finding) -> str:
    """The scorer whose metric a rule looked at; `polite` for `polite/mean` too."""
    return finding.metric.removesuffix("/mean")


def judge_of(evaluation: Evaluation, metric: str) -> str:
    """`judge` for a scorer that asks a model, `scripted judge` where rules answered in its place,
    "" for one that asks nobody."""
    card = evaluation.scorers.get(metric.removesuffix("/mean"))
    if card is None or not card.judge:
        return ""
    return "scripted judge" if evaluation.answerer.scripted else "judge"


def scripted_mark(evaluation: Evaluation, metric: str) -> str:
    """What stands beside each number of a scripted judge, so that none is taken for a model's."""
    judge = judge_of(evaluation, metric)
    return f" ({judge})" if judge == "scripted judge" else ""


def metrics_of(conclusion: Conclusion) -> list[str]:
    """All scorers' names: first those that rules name, in the rules' order."""
    known = dict.fromkeys(name for e in conclusion.evaluations for name in e.scorers)
    findings = (finding for verdict in conclusion.verdicts for finding in verdict.findings)
    named = dict.fromkeys(scorer_of(finding) for finding in findings)
    return [name for name in named if name in known] + [n for n in known if n not in named]


def decisive_metrics(conclusion: Conclusion) -> list[str]:
    """The scorers that rules name; all of them when no rule names one."""
    findings = (finding for verdict in conclusion.verdicts for finding in verdict.findings)
    named = {scorer_of(finding) for finding in findings}
    every = metrics_of(conclusion)
    return [name for name in every if name in named] or every


def most_moved(conclusion: Conclusion) -> str:
    """Of the metrics that decide, the one whose scores changed in most cases; "" without any."""

    def moved(metric: str) -> int:
        deltas = (c.deltas[metric] for c in conclusion.comparisons if metric in c.deltas)
        return sum(delta.improved + delta.regressed for delta in deltas)

    return max(decisive_metrics(conclusion), key=moved, default="")
