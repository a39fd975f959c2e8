"""`vcmp judge-check` through the command line: labels in, one sentence and one next step out."""

import json
import re
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.builders import version
from tests.conftest import Run, start_vcmp
from tests.openai_server import OpenAIServer
from tests.sweeps import sweep_folder, write
from vcmp.checking import read_labels
from vcmp.errors import DatasetError
from vcmp.types import Answerer, Case, Dataset, Plan, ScorerCard

SCORERS = """\
# one judge, one rule, and a judge of pairs
kind: {_target_: vcmp.judges.Guidelines, guidelines: [be kind]}
polite: {_target_: vcmp.scorers.Polite}
better: {_target_: vcmp.judges.Prefer, criterion: kinder}
"""


def write_labels(project: Path, cases: list[dict[str, Any]]) -> tuple[str, str]:
    """A dataset of questions with these expectations, and the scorers, as overrides."""
    lines = [
        json.dumps({"id": f"q{n}", "inputs": {"question": f"q{n}?"}, "expectations": expected})
        for n, expected in enumerate(cases)
    ]
    write(project, "cases.jsonl", "\n".join(lines))
    write(project, "conf/scorers/kind.yaml", SCORERS)
    return "dataset.path=cases.jsonl", "scorers=kind"


def labelled(*kinds: tuple[str, Any]) -> list[dict[str, Any]]:
    """Expectations with an answer and its label for the judge `kind`."""
    return [{"output": output, "labels": {"kind": label}} for output, label in kinds]


def plan(*expected: dict[str, Any]) -> Plan:
    """Cases with these expectations, for a judge `kind` and a pairwise judge `better`."""
    cases = [Case(id=f"q{n}", inputs={}, expectations=each) for n, each in enumerate(expected)]
    return Plan(
        version=version(), agent=str, dataset=Dataset(name="mine", cases=tuple(cases)),
        scorers={"kind": str}, cards={"kind": ScorerCard(digest="d", judge=True)},
        answerer=Answerer(name="test"), pairwise={"better": str},
    )  # fmt: skip


def document(project: Path) -> dict[str, Any]:
    text = (sweep_folder(project) / "judge-check.json").read_text(encoding="utf-8")
    return json.loads(text)


def judge(body: dict[str, Any]) -> dict[str, Any]:
    """Takes every answer with a "sorry" for kind; of two, the one that is shown first."""
    asked = body["messages"][1]["content"]
    if "# First answer" in asked:
        return {"rationale": "place", "result": "first"}
    if "unjudgeable" in asked:
        return {"rationale": "?", "result": "maybe"}
    return {"rationale": "looked", "result": "yes" if "sorry" in asked else "no"}


def check(vcmp: Run, *overrides: str, **how: Any) -> Any:
    """Check the judges on a server that is not vcmp's; the result, and the server."""
    with OpenAIServer(judge=judge, **how) as server:
        done = vcmp("judge-check", *overrides, "provider=compatible",
                    f"provider.base_url={server.base_url}")  # fmt: skip
    return done, server


def test_the_sample_works_out_of_the_box_and_says_that_no_model_judged(project: Path, vcmp: Run):
    done = vcmp("judge-check", "dataset=labelled", "scorers=judged")

    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()[:2]
    assert first == "answered by: scripted demo, no language model was called"
    assert second == "3 judges, 30 labelled cases of labelled"
    assert re.search(r"^correctness \(scripted judge\) +30 +0\.73 ", done.stdout, re.MULTILINE)
    assert "agrees with people in 22 of 30, kappa 0.43: moderate; too kind 4 times" in done.stdout
    assert done.stdout.count("    next: ") == 3
    assert done.stdout.splitlines()[-1].startswith("checked   outputs/2")
    found = document(project)
    assert found["answerer"]["scripted"] is True
    assert found["version"] is None
    assert set(found["judges"]) == {"relevance_to_query", "support_guidelines", "correctness"}
    assert all(each["scripted"] for each in found["judges"].values())


def test_a_judge_is_asked_once_for_each_labelled_answer_and_compared(project: Path, vcmp: Run):
    """8 kind ones that it sees, 2 that it does not, 5 unkind ones of which one says sorry."""
    answers = [("I am sorry.", "yes")] * 8 + [("There, there.", True)] * 2
    answers += [("Sorry? sorry for what.", "no"), *[("Go away.", 0)] * 4]

    done, server = check(vcmp, *write_labels(project, labelled(*answers)))

    assert done.returncode == 0, done.stdout + done.stderr
    assert len(server.judged) == 15
    assert server.answered == []
    assert (
        "  kind agrees with people in 12 of 15, kappa 0.57: moderate; too kind once, too strict"
        " twice\n    next: label 15 answers more, good and bad ones: it may be right in"
        " 0.55 to 0.93 of all\n"
    ) in done.stdout
    found = document(project)["judges"]["kind"]
    assert (found["n"], found["agreed"], found["too_kind"], found["too_strict"]) == (15, 12, 1, 2)
    assert found["accuracy"]["ci95"] == pytest.approx([0.5481, 0.9295], abs=1e-4)
    assert found["kappa"] == pytest.approx(4 / 7)
    assert found["swayed"] is None
    assert [each["case_id"] for each in found["labelled"] if each["label"] != each["judge"]] == [
        "q8", "q9", "q10",
    ]  # fmt: skip


FLAKY = """
def answer(question):
    if question == "q0?":
        raise ValueError("no")
    return "I am sorry."
"""


def test_what_is_left_out_answered_now_or_failed_is_told(project: Path, vcmp: Run):
    """The agent answers q0 and q1, which have labels and no answer, and nothing else."""
    write(project, "agents/flaky.py", FLAKY)
    write(project, "conf/agent/flaky.yaml", "_target_: agents.flaky.answer\n_partial_: true\n")
    cases = [{"labels": {"kind": 0}}] * 2 + labelled(("I am sorry.", 1), ("No.", 0))
    cases[2]["labels"] |= {"polite": 1, "knid": 1}

    done, server = check(
        vcmp, *write_labels(project, [*cases, {"output": "unlabelled"}]), "agent=flaky"
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert len(server.judged) == 3
    assert (
        "1 judge, 4 labelled cases of support\n"
        "note: the labels for 'polite', 'knid' are not used: no judge is called so\n"
        "note: better was not asked: no case has two answers, output and baseline_output\n"
        "note: 2 labelled cases without expectations.output: flaky answers now, and the labels are"
        " taken to be about these answers\n"
        "note: 1 case without labels left out; with them the labels could correct a judge's mean:"
        " pip install 'vcmp[ppi]'\n"
    ) in done.stdout
    assert "note: flaky failed on 1 case, and nobody judges that\n" in done.stdout
    found = document(project)
    assert found["answered_now"] == ["q0", "q1"]
    assert found["failed"] == {"q0": "ValueError: no"}
    assert found["version"].startswith("customer_support_agent-flaky-git-")
    assert (found["judges"]["kind"]["n"], found["judges"]["kind"]["too_kind"]) == (3, 1)


def test_a_judge_without_a_verdict_is_told_to_be_mended_first(project: Path, vcmp: Run):
    answers = [("I am sorry.", 1), ("unjudgeable", 0), ("unjudgeable too", 1)]

    done, _ = check(vcmp, *write_labels(project, labelled(*answers)))

    assert done.returncode == 0, done.stdout + done.stderr
    assert (
        "    next: find out why it gave no verdict on 2 answers; judge-check.json has the errors\n"
    ) in done.stdout
    found = document(project)["judges"]["kind"]
    assert (found["n"], found["unscored"]) == (1, 2)
    assert "no usable JSON in 3 replies" in found["labelled"][1]["error"]


def test_a_judge_of_pairs_is_asked_in_both_orders_and_its_bias_shown(project: Path, vcmp: Run):
    sides = {"output": "I am sorry.", "baseline_output": "No."}
    cases = [{**sides, "labels": {"better": label}} for label in ("candidate", "tie", "baseline")]

    done, server = check(vcmp, *write_labels(project, [*cases, sides]))

    assert done.returncode == 0, done.stdout + done.stderr
    assert len(server.judged) == 2 * 4
    found = document(project)["judges"]["better"]
    assert (found["n"], found["agreed"], found["swayed"]) == (3, 1, 1.0)
    assert re.search(r"^better +3 +0\.33 .* 100%$", done.stdout, re.MULTILINE)


def test_when_no_judge_says_anything_nothing_was_checked(project: Path, vcmp: Run):
    def faults(index: int, body: dict[str, Any]) -> Any:
        return ("status", 401, {}, {"error": {"message": "bad key"}})

    done, _ = check(vcmp, *write_labels(project, labelled(("a", 1))), faults=faults)

    assert done.returncode == 4
    assert re.fullmatch(
        r"vcmp: no judge gave a judgement \(AuthenticationError: .*bad key.*\)\.\n"
        r"  Mend that, and check the judges again\.\n",
        done.stderr,
    )
    assert not list(project.glob("outputs/2*"))


def mistake(vcmp: Run, *overrides: str) -> str:
    done = vcmp("judge-check", *overrides)
    assert (done.returncode, done.stdout) == (2, ""), done.stdout + done.stderr
    return done.stderr.removeprefix("vcmp: ").rstrip("\n")


def test_cases_without_labels_are_told_how_to_get_some(project: Path, vcmp: Run):
    assert mistake(vcmp, "scorers=judged", "dataset.limit=5") == (
        "dataset=support: none of its 5 cases has labels to compare a judge with.\n"
        '  Label some: "expectations": {"output": "<answer>", "labels": {"<judge>": true}}'
    )
    assert not list(project.glob("outputs/2*"))


def test_scorers_without_a_judge_are_told_to_be_others(vcmp: Run):
    assert mistake(vcmp, "dataset=labelled") == (
        "scorers=support: has no judge, and the labels are for 'relevance_to_query',"
        " 'support_guidelines', 'correctness'.\n"
        "  Choose a file that has these judges: scorers=…"
    )


def test_labels_for_no_judge_name_the_nearest(project: Path, vcmp: Run):
    cases = [{"output": "a", "labels": {"knid": 1}}]

    assert mistake(vcmp, *write_labels(project, cases)) == (
        "dataset=support: its labels are for 'knid', and no judge of scorers=kind is called so."
        " Did you mean 'kind'?\n  The judges are 'kind', 'better'."
    )


@pytest.mark.parametrize(
    ("expected", "said"),
    [
        (
            {"labels": {"kind": "maybe"}},
            "the label for 'kind' is 'maybe'. Write yes, no, true, false or a number from 0 to 1.",
        ),
        (
            {"labels": {"kind": 5}},
            "the label for 'kind' is 5. Write yes, no, true, false or a number from 0 to 1.",
        ),
        (
            {"labels": {"better": "first"}},
            "the label for 'better' is 'first'."
            " Write candidate, baseline, tie or a number from 0 to 1.",
        ),
        (
            {"labels": True},
            'labels is True. Name the judge that each is for: "labels": {"<judge>": true}',
        ),
    ],
)
def test_what_is_no_label_is_told_with_its_case(expected: Any, said: str):
    with pytest.raises(DatasetError) as caught:
        read_labels(plan(expected), dataset="dataset=mine", scorers="scorers=kind")

    assert str(caught.value) == f"dataset=mine: case 'q0': {said}"


def test_labels_may_be_words_numbers_or_truth_values():
    labels = read_labels(
        plan({"labels": {"kind": "Yes", "better": "tie"}}, {"labels": {"kind": False}},
             {"labels": {"kind": 0.25, "better": "candidate"}}, {"labels": None}, {}),
        dataset="dataset=mine", scorers="scorers=kind",
    )  # fmt: skip

    assert labels.given == {
        "kind": {"q0": 1, "q1": 0, "q2": 0.25},
        "better": {"q0": 0.5, "q2": 1},
    }
    assert labels.case_ids == {"q0", "q1", "q2"}


PPI = '''
def ppi_mean_ci(labels, scores, others, alpha):
    """Says what it was asked, as an interval."""
    print("ppi:", list(labels), list(scores), list(others), round(alpha, 2))
    return [0.25], [0.75]
'''


def test_with_the_extra_the_mean_of_all_answers_is_corrected_by_the_labels(
    project: Path, vcmp: Run
):
    """A stand-in for the package shows what it is asked; its own numbers are tested elsewhere."""
    write(project, "ppi_py.py", PPI)
    answers = [("I am sorry.", 1)] * 5 + [("I am sorry.", 0)] * 5
    cases = labelled(*answers) + [{"output": "No."}] * 2

    done, server = check(vcmp, *write_labels(project, cases))

    assert done.returncode == 0, done.stdout + done.stderr
    assert len(server.judged) == 12
    labels = [1.0] * 5 + [0.0] * 5
    ones, zeros = [1.0] * 10, [0.0] * 2
    asked = re.sub(r"np\.float64\((.*?)\)", r"\1", done.stdout)
    assert f"ppi: {labels} {ones} {zeros} 0.05\n" in asked
    assert re.search(
        r"^    mean: 0\.83 \(0\.\d\d to 0\.\d\d\) as it says of all 12 answers,"
        r" 0\.50 \(0\.\d\d to 0\.\d\d\) by the 10 labels alone\n"
        r"    mean: 0\.50 \(0\.25 to 0\.75\) of all, corrected by the labels, if they are of a"
        r" random sample$",
        done.stdout,
        re.MULTILINE,
    )
    assert document(project)["judges"]["kind"]["mean"]["corrected"] == {
        "value": 0.5, "ci95": [0.25, 0.75], "n": 12,
    }  # fmt: skip


def test_an_interrupt_leaves_nothing_and_says_so(project: Path):
    overrides = write_labels(project, labelled(*[("I am sorry.", 1)] * 8))
    with OpenAIServer(judge=judge, faults=lambda *_: ("hang", 60)) as server:
        process = start_vcmp(
            project, "judge-check", *overrides, "provider=compatible",
            f"provider.base_url={server.base_url}", env={"OPENAI_API_KEY": "any"},
        )  # fmt: skip
        while not server.judged:
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)

    assert (process.returncode, err) == (130, "")
    assert out.splitlines()[-1] == "interrupted: no judge was checked"
    assert not list(project.glob("outputs/2*"))
