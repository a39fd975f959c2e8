"""From evaluations to a conclusion: compare, decide, rank. It costs nothing.

`conclude_folder` reads what a sweep left in its folder and nothing else, so a sweep is concluded
the same way at its end, later, on another machine, or with another gate.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from vcmp import baselines, canaries, gates, pairwise, reports, results, tables
from vcmp.comparison import compare, differing_models, examine, restrict, unrecorded
from vcmp.errors import ResultsError
from vcmp.gates import Policy
from vcmp.gates.looks import Looked
from vcmp.pairwise import Judged
from vcmp.results.files import replace_file
from vcmp.secrets import scrub
from vcmp.types import Comparison, Conclusion, Evaluation, Outcome, prefix

EXIT_CODES: dict[Outcome, int] = {"pass": 0, "fail": 1, "inconclusive": 3, "invalid": 4}
REPORT_FILES = ("report.md", "report.html", "verdict.json", "junit.xml", "scores.csv")


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """Candidates, and all that they are compared with."""

    baseline: Evaluation
    candidates: tuple[Evaluation, ...]
    anchors: tuple[Evaluation, ...] = ()
    """Further versions that every candidate is compared with."""
    judged: Mapping[str, Judged] = field(default_factory=dict)
    """What pairwise judges thought, by the candidate's version name."""

    def seen(self, look: int, looks: int) -> list[str]:
        """The ids of the cases that a look sees, in the order in which they are evaluated."""
        order = self.baseline.dataset.shuffled(self.candidates[0].seed)
        return [case.id for case in order[: prefix(len(order), look, looks)]]

    def compared(self, case_ids: Iterable[str], lower: frozenset[str]) -> list[list[Comparison]]:
        """The comparisons of each candidate over these cases, the one with the baseline first.

        Args:
            case_ids: The cases.
            lower: Scores of which less is better.
        """
        ids = set(case_ids)
        base, *anchors = (restrict(e, ids) for e in (self.baseline, *self.anchors))
        return [
            [
                self._compare(base, candidate, lower),
                *(
                    compare(anchor, candidate, lower=lower)
                    for anchor in anchors
                    if anchor.version.name != candidate.version.name
                ),
            ]
            for candidate in (restrict(each, ids) for each in self.candidates)
        ]

    def _compare(
        self, baseline: Evaluation, candidate: Evaluation, lower: frozenset[str]
    ) -> Comparison:
        judged = self.judged.get(candidate.version.name, Judged())
        return compare(baseline, candidate, judged.preferences, judged.judges, lower)

    def decide(self, policy: Policy) -> list[Looked]:
        """Judge the candidates at each planned look whose cases they were evaluated on.

        What earlier runs of a candidate had asked is never set aside: the first look is the one
        that sees all of it.
        """
        lower, looks = gates.wanted_low(policy.rules), policy.looks
        earlier = frozenset[str]().union(*(candidate.earlier for candidate in self.candidates))

        def compare_at(look: int) -> list[list[Comparison] | None]:
            seen = self.seen(look, looks)
            ready = [looks == 1 or self._is_ready(each, seen) for each in self.candidates]
            if not any(ready):
                return [None for _ in ready]
            compared = self.compared(seen, lower)
            return [each if now else None for now, each in zip(ready, compared, strict=True)]

        first = next(n for n in range(1, looks + 1) if earlier <= set(self.seen(n, looks)))
        return gates.look_by_look(compare_at, policy, first)

    def _is_ready(self, candidate: Evaluation, case_ids: Sequence[str]) -> bool:
        """Whether a candidate was asked all these cases, and nothing asked of them is missing."""
        compared = (restrict(e, case_ids) for e in (candidate, self.baseline, *self.anchors))
        return all(map(candidate.n_asked_of, case_ids)) and all(e.complete for e in compared)


def field_of(
    evaluations: Sequence[Evaluation],
    wanted: str,
    outside: Evaluation | None,
    anchors: Sequence[Evaluation] = (),
) -> tuple[Field | None, str]:
    """What a sweep's versions are compared with, and how that was chosen; None where nothing is.

    Args:
        evaluations: The sweep's own.
        wanted: The baseline's name in the configuration.
        outside: A baseline from elsewhere.
        anchors: Further versions to compare with.
    """
    if outside:
        field = Field(baseline=outside, candidates=tuple(evaluations), anchors=tuple(anchors))
        return field, baselines.describe(wanted, outside)
    chosen = baselines.choose([each.version.variant for each in evaluations], wanted)
    if not chosen or len(evaluations) < 2:
        return None, ""
    place, note = chosen
    others = tuple(each for number, each in enumerate(evaluations) if number != place)
    return Field(baseline=evaluations[place], candidates=others, anchors=tuple(anchors)), note


def conclude_folder(folder: Path, policy: Policy) -> Conclusion:
    """Compare, decide and rank what a sweep left in `folder`.

    Raises:
        ResultsError: Files are missing or damaged.
        ComparisonError: Versions of the sweep are not comparable.
    """
    record = results.load_record(folder)
    evaluations = results.load_sweep(folder, record)
    stopped = next((each.stopped for each in evaluations if each.stopped), "")
    if stopped:
        policy = replace(policy, looks=1)  # there is what there is
    outside, anchors = results.load_baseline(folder), results.load_anchors(folder, evaluations)
    field, note = field_of(evaluations, record.baseline, outside, anchors)
    if field is None:
        conclusion = conclude_alone(evaluations, policy)
    else:
        judged = {
            evaluation.version.name: pairwise.load(folder / job, field.baseline)
            for evaluation, job in zip(evaluations, record.jobs, strict=True)
        }
        conclusion = _conclude(_with_judged(field, judged), policy)
    told = [*canaries.notes(conclusion.evaluations), *unrecorded(conclusion.evaluations)]
    if field:
        told += differing_models(field.baseline, field.candidates)
    notes = (*record.notes, *told, *filter(None, [record.unrecorded]))
    conclusion = replace(conclusion, baseline_note=note, command=record.command, notes=notes)
    return _hold_back(conclusion, stopped, policy) if stopped else conclusion


def _with_judged(field: Field, judged: Mapping[str, Judged]) -> Field:
    """The field with what pairwise judges thought, and made of known-bad answers."""
    candidates = tuple(
        replace(each, canaries=(*each.canaries, *judged[each.version.name].canaries))
        for each in field.candidates
    )
    return replace(field, candidates=candidates, judged=judged)


def _hold_back(conclusion: Conclusion, stopped: str, policy: Policy) -> Conclusion:
    """The same, of an evaluation that was stopped: nothing passes on a part of the evidence."""
    n = sum(len(each.results) for each in conclusion.evaluations)
    verdicts = tuple(
        replace(
            verdict,
            outcome="inconclusive" if verdict.outcome == "pass" else verdict.outcome,
            reason=f"Only a part was evaluated ({stopped}). So far: {verdict.reason}",
            rollout=0.0,
        )
        for verdict in conclusion.verdicts
    )
    return replace(
        conclusion,
        verdicts=verdicts,
        outcome=gates.settle(verdicts, policy),
        best="",
        stopped=stopped,
        notes=(*conclusion.notes, f"stopped early, {stopped}: judged on {n} results"),
    )


def conclude_alone(evaluations: Sequence[Evaluation], policy: Policy) -> Conclusion:
    """Judge versions that nothing is compared with, by the rules that need no baseline."""
    lower = gates.wanted_low(policy.rules)
    verdicts = tuple(gates.decide_alone(examine(each, lower), policy) for each in evaluations)
    return Conclusion(
        evaluations=tuple(evaluations),
        verdicts=verdicts,
        outcome=gates.settle(verdicts, policy),
        gate=policy.name,
    )


def conclude(
    baseline: Evaluation,
    candidates: Sequence[Evaluation],
    policy: Policy,
    anchors: Sequence[Evaluation] = (),
) -> Conclusion:
    """Compare each candidate with the baseline, decide by the policy, and rank them.

    Args:
        anchors: Further versions that every candidate is compared with, such as a pinned one: a
            row of small losses, each within its margin, is one large loss.

    Raises:
        ComparisonError: Two evaluations are not comparable.
    """
    return _conclude(
        Field(baseline=baseline, candidates=tuple(candidates), anchors=tuple(anchors)), policy
    )


def _conclude(field: Field, policy: Policy) -> Conclusion:
    part = [e for e in field.candidates if len(e.cases) < len(e.dataset.cases) and not e.stopped]
    if policy.looks == 1 and part:
        raise ResultsError(
            f"a planned look ended this sweep, and gate={policy.name} without looks wants all"
            " cases.\n"
            "  Keep gate.looks as it was, or evaluate again without it: the runs are pooled."
        )
    found = field.decide(policy)
    if not found:
        raise ResultsError("the sweep ended before its first planned look. Evaluate again.")
    seen = field.seen(max(each.verdict.look for each in found) or 1, policy.looks)
    evaluations = (field.baseline, *field.candidates)
    dataset = field.baseline.dataset
    early = len(seen) < len(dataset.cases)
    return replace(
        rank(found, policy),
        evaluations=tuple(restrict(each, seen) for each in evaluations),
        n_cases=len(dataset.cases) if early else 0,
        digest=dataset.digest if early else "",
        anchors=tuple(anchor.version.name for anchor in field.anchors),
    )


def rank(found: Sequence[Looked], policy: Policy) -> Conclusion:
    """A conclusion from verdicts: best candidates first, and who may ship."""
    verdicts = [each.verdict for each in found]
    comparisons = [each.candidate[0] for each in found]
    order = gates.rank(verdicts, comparisons, policy)
    passed = [
        verdicts[n].variant for n in order if verdicts[n].outcome == "pass" and verdicts[n].findings
    ]
    sides = [each.candidate for each in comparisons]
    baseline = comparisons[0].baseline
    return Conclusion(
        evaluations=(baseline, *sides),
        baseline=baseline.version.name,
        comparisons=tuple(comparisons[n] for n in order),
        verdicts=tuple(verdicts[n] for n in order),
        outcome=gates.settle(verdicts, policy),
        best=passed[0] if passed else "",
        gate=policy.name,
        looks=policy.looks,
    )


def write_reports(conclusion: Conclusion, folder: Path, *, template: str, limit: int) -> None:
    """Write report.md, report.html, verdict.json, junit.xml and scores.csv into its folder."""
    report = scrub(reports.render(conclusion, template=template, limit=limit))
    texts = (
        report,
        reports.webpage(conclusion, report),
        reports.verdict_json(conclusion),
        reports.junit(conclusion),
        tables.scores_csv(conclusion),
    )
    for name, text in zip(REPORT_FILES, texts, strict=True):
        replace_file(folder / name, [scrub(text)])


def exit_code(conclusion: Conclusion, policy: Policy) -> int:
    """0 pass or nothing to decide, 1 fail, 3 inconclusive (0 where the policy allows it),
    4 invalid, or stopped by the budget or the provider."""
    if conclusion.stopped:
        return EXIT_CODES["invalid"]
    if conclusion.outcome == "inconclusive" and policy.on_inconclusive == "allow":
        return 0
    return EXIT_CODES[conclusion.outcome]
