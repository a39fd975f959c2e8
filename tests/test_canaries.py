"""Canaries: which known-bad answer each judge is shown, and what follows from what it says."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.builders import OPENAI, version
from tests.conftest import ROOT, Run
from tests.openai_server import OpenAIServer
from tests.sweeps import rows, sweep_folder, verdict, write, write_cases
from vcmp import canaries, results
from vcmp.canaries import KNOWN_BAD
from vcmp.comparison import compare
from vcmp.errors import ResultsError
from vcmp.evaluation import evaluate as loop
from vcmp.gates import Policy, Threshold, decide
from vcmp.pipeline import evaluate
from vcmp.provider.scripted.inquiries import Inquiry
from vcmp.provider.scripted.verdicts import CHECKS
from vcmp.types import Canary, Case, Dataset, Evaluation, Plan, Score, ScorerCard

QUESTIONS = [
    json.loads(line)["inputs"]["question"]
    for line in (ROOT / "conf/dataset/support.jsonl").read_text("utf-8").splitlines()
]


@pytest.mark.parametrize(("words", "holds"), CHECKS, ids=[words[:20] for words, _ in CHECKS])
def test_the_known_bad_answer_meets_no_criterion_that_the_test_judge_knows(
    words: str, holds: Callable[[Inquiry], bool]
):
    """Whatever the question: else the sample's judges would be void for some choice of cases."""
    kept = [q for q in QUESTIONS if holds(Inquiry(answer=KNOWN_BAD, question=q))]

    assert kept == []


class Judge:
    """Gives every answer what `says` says, and remembers the answers."""

    def __init__(self, says: Callable[[str], Any] = lambda _: 0.0) -> None:
        self.says, self.seen = says, list[tuple[str, str]]()

    def __call__(self, case: Case, output: str) -> Score:
        self.seen.append((case.id, output))
        said = self.says(output)
        return said if isinstance(said, Score) else Score(value=said, rationale="so")


CASES = (
    Case(id="bare", inputs={}),
    Case(id="rich", inputs={}, expectations={"a": 1, "b": 2}),
    Case(id="poor", inputs={}, expectations={"a": 1}),
)


def plan(**judges: Judge) -> Plan:
    return Plan(
        version=version(),
        agent=lambda: "fine",
        dataset=Dataset(name="d", cases=CASES),
        scorers=judges,
        cards={name: ScorerCard(digest=name, judge=True) for name in judges},
        answerer=OPENAI,
    )


def approves(output: str) -> float:
    return 1.0


def test_a_judge_sees_the_known_bad_answer_once_for_all_versions_and_first():
    judge = Judge(lambda output: float(output == "fine"))
    plans = [plan(kind=judge), plan(kind=judge)]

    evaluations = evaluate(plans)

    assert judge.seen[0] == ("rich", KNOWN_BAD)
    assert [output for _, output in judge.seen[1:]] == ["fine"] * 6
    expected = Canary(metric="kind", case_id="rich", output=KNOWN_BAD, value=0.0, rationale="so")
    assert [each.canaries for each in evaluations] == [(expected,)] * 2


def test_a_void_judge_is_asked_nothing_else():
    judge, other = Judge(approves), Judge()

    (evaluation,) = evaluate([plan(kind=judge, right=other)])

    assert [output for _, output in judge.seen] == [KNOWN_BAD]
    assert len(other.seen) == 1 + 3
    why = "the judge is void, a known-bad answer got 1.00 from it"
    assert {r.scores["kind"] for r in evaluation.results} == {Score(value=None, error=why)}
    assert {r.scores["right"].value for r in evaluation.results} == {0}


@pytest.mark.parametrize(
    ("value", "compared", "void"),
    [(0.49, False, False), (0.5, False, True), (0.5, True, False), (1.0, True, True),
     (None, False, False)],
)  # fmt: skip
def test_from_the_middle_on_it_is_called_good_and_a_tie_may_be_fair(value, compared, void):
    canary = Canary(metric="kind", output="x", value=value, compared=compared)

    assert (canary.void, bool(canary.reason)) == (void, void)


def test_a_judge_may_have_its_own_or_none():
    own, off = Judge(), Judge(approves)

    (evaluation,) = evaluate(
        [replace(plan(own=own, off=off), known_bad={"own": "12 dollars", "off": None})]
    )

    assert own.seen[0] == ("rich", "12 dollars")
    assert [output for _, output in off.seen] == ["fine"] * 3
    assert [(each.metric, each.output, each.void) for each in evaluation.canaries] == [
        ("own", "12 dollars", False),
        ("off", "", False),
    ]
    assert {result.scores["off"].value for result in evaluation.results} == {1}


def test_what_an_earlier_run_found_out_is_not_asked_again(tmp_path: Path):
    """A resumed sweep asks only what had no score."""
    judges = {"kind": Judge(), "mute": Judge(), "void": Judge()}
    known = [
        Canary(metric="kind", case_id="rich", output=KNOWN_BAD, value=0.0),
        Canary(metric="mute", case_id="rich", output=KNOWN_BAD, error="down"),
        Canary(metric="void", case_id="rich", output=KNOWN_BAD, value=1.0),
    ]
    results.save_canaries([*known, *known], tmp_path)

    (heeding,) = canaries.heed([plan(**judges)], loop, results.load_canaries(tmp_path))

    assert {name: len(judge.seen) for name, judge in judges.items()} == {
        "kind": 0, "mute": 1, "void": 0,
    }  # fmt: skip
    assert [(each.metric, each.value) for each in heeding.canaries] == [
        ("kind", 0), ("mute", 0), ("void", 1),
    ]  # fmt: skip
    assert heeding.scorers["kind"] is judges["kind"]
    assert heeding.scorers["void"] is not judges["void"]


def test_a_damaged_file_is_told(tmp_path: Path):
    (tmp_path / "canaries.jsonl").write_text('{"metric": 1}\n', encoding="utf-8")

    with pytest.raises(ResultsError) as caught:
        results.load_canaries(tmp_path)

    assert str(caught.value) == (
        f"{tmp_path}/canaries.jsonl: cannot be read (1 validation error for Canary)."
        " Evaluate again."
    )


def test_a_judge_that_cannot_judge_it_is_not_void_and_the_error_is_kept():
    def fail(output: str) -> float:
        if output == KNOWN_BAD:
            raise RuntimeError("filtered")
        return 1.0

    (evaluation,) = evaluate([plan(kind=Judge(fail))])

    (canary,) = evaluation.canaries
    assert (canary.value, canary.void) == (None, False)
    assert canary.error == "RuntimeError: filtered"
    assert canaries.notes([evaluation]) == (
        "kind counts untried: its judge gave a known-bad answer no score (RuntimeError: filtered)."
        " Evaluate again before you believe it.",
    )
    assert {result.scores["kind"].value for result in evaluation.results} == {1}


def test_a_rule_about_a_void_judge_has_no_evidence_whoever_was_judged_by_it():
    """Also where scores of an earlier run are pooled with this one."""

    def side(*said: Canary) -> Evaluation:
        (done,) = evaluate([plan(kind=Judge(lambda output: float(output == "fine")))])
        return replace(done, canaries=said)

    sound = Canary(metric="kind", output="x", value=0.0)
    void = Canary(metric="kind", output="x", value=1.0)
    policy = Policy(name="g", rules=(Threshold(metric="kind", min=0.1, evidence="point"),))

    for sides, outcome in (((sound, sound), "pass"), ((sound, void), "invalid"),
                           ((void, sound), "invalid")):  # fmt: skip
        found = decide(compare(*map(side, sides)), policy)
        assert found.outcome == outcome
    assert found.findings[0].observed == "the judge is void, a known-bad answer got 1.00 from it"
    assert found.findings[0].advice == (
        "Read what it said of that answer, and mend the judge or its canary."
    )


def test_what_is_void_is_told_once():
    void = Canary(metric="kind", output="x", value=0.75, rationale="lovely")
    (done,) = evaluate([plan()])
    sides = [replace(done, canaries=(void,)), replace(done, canaries=(void,))]

    assert canaries.notes(sides) == (
        "kind counts for no version: the judge is void, a known-bad answer got 0.75 from it."
        " Mend the judge, or give it an answer that its criterion calls bad (scorers.kind.canary)."
        " It said: lovely",
    )


# the command line

OWN = """\
# a judge of what must not be said
no_price:
  _target_: vcmp.judges.Guidelines
  guidelines: The answer names no price.
"""


def sweep(project: Path, vcmp: Run, scorers: str, *more: str, **server: Any) -> Any:
    write(project, "conf/scorers/own.yaml", scorers)
    with OpenAIServer(**server) as opened:
        done = vcmp(
            "agent=empathetic,basic", "provider=compatible", "scorers=own", "gate=none", "-m",
            f"provider.base_url={opened.base_url}", write_cases(project, 3), "tracking=none", *more,
        )  # fmt: skip
        return done, opened.judged


def test_a_canary_of_its_own_is_shown_and_no_scorer_gets_the_key(project: Path, vcmp: Run):
    scorers = f"{OWN}  canary: It costs 12 dollars.\n"

    def judge(body: dict[str, Any]) -> dict[str, Any]:
        return {"rationale": "", "result": "no" if "12 dollars" in str(body) else "yes"}

    done, judged = sweep(project, vcmp, scorers, judge=judge)

    assert done.returncode == 0, done.stdout + done.stderr
    assert len(judged) == 1 + 2 * 3
    assert "\nIt costs 12 dollars.\n" in judged[0]["body"]["messages"][1]["content"]
    report = (sweep_folder(project) / "report.md").read_text("utf-8")
    assert "- Shown a known-bad answer first, `no_price` gave it 0.00.\n" in report


def test_votes_are_paid_for_and_their_agreement_is_in_the_report(project: Path, vcmp: Run):
    """Two of three votes for every answer, and for the known-bad one as well."""
    count = iter(range(1_000))

    def judge(body: dict[str, Any]) -> dict[str, Any]:
        return {"rationale": "", "result": "yes" if next(count) % 3 == 0 else "no"}

    scorers = f"{OWN}  votes: 3\n  canary: null\n"
    done, judged = sweep(project, vcmp, scorers, "concurrency=1", judge=judge)

    assert done.returncode == 0, done.stdout + done.stderr
    assert len(judged) == 3 * 2 * 3
    assert {row["scores"]["no_price"]["agreement"] for row in rows(project, 0)} == {2 / 3}
    report = (sweep_folder(project) / "report.md").read_text("utf-8")
    assert "- `no_price` was shown no known-bad answer: its canary is switched off.\n" in report
    assert "- `no_price`: 66.7 % of its votes agree, on average.\n" in report
    assert verdict(project)["agreement"] == {"no_price": pytest.approx(2 / 3)}


@pytest.mark.parametrize(
    ("scorers", "said"),
    [
        (
            f"{OWN}  canary: ' '\n",
            "vcmp: scorers=own, no_price: canary is ' '. Write an answer that the judge must call"
            " bad, or null.\n",
        ),
        (
            "# rules\nbrief: {_target_: vcmp.scorers.MaxLength, words: 9, canary: x}\n",
            "vcmp: scorers=own, brief: asks no model, and only judges have a canary. Remove it.\n",
        ),
    ],
)
def test_what_is_no_canary_is_refused(project: Path, vcmp: Run, scorers: str, said: str):
    done, _ = sweep(project, vcmp, scorers)

    assert (done.returncode, done.stderr) == (2, said)


def test_mlflow_judges_are_tried_as_well(project: Path, vcmp: Run):
    """They ask through a client of MLflow's own, and are void all the same."""
    scorers = """\
# a judge of MLflow's
relevant: {_target_: mlflow.genai.scorers.RelevanceToQuery, model: openai:/gpt-4o-mini}
"""
    yes = {"rationale": "lovely", "result": "yes"}

    done, judged = sweep(project, vcmp, scorers, judge=lambda _: yes)

    assert done.returncode == 0, done.stdout + done.stderr
    assert len(judged) == 1
    assert "note: relevant counts for no version: the judge is void" in done.stdout
