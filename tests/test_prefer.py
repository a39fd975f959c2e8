"""Pairwise judges: which of two outputs is better, in both orders, from the judge to the gate."""

import asyncio
import json
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import evaluation
from tests.conftest import Run, start_vcmp
from tests.openai_server import OpenAIServer
from tests.sweeps import rows, sweep_folder, verdict, write, write_cases
from vcmp import preferences, results
from vcmp.comparison import compare
from vcmp.errors import ConfigError, ResultsError
from vcmp.judges import JudgeError, Prefer
from vcmp.pipeline import evaluate
from vcmp.preferences import Pair
from vcmp.scorers import card_of
from vcmp.types import Answerer, Case, Evaluation, Plan, Preference, Result, ScorerCard

CASE = Case(id="c1", inputs={"question": "Where is my parcel?"})
BEFORE, AFTER = "It is late.", "I am sorry, it is late."
FENCED = re.compile(r"<<<(answer-[0-9a-f]{16})\n(.*?)\n\1>>>", re.DOTALL)


def shown(body: dict[str, Any]) -> list[str]:
    """The two answers of a request, in the order in which they are shown."""
    return [text for _, text in FENCED.findall(body["messages"][1]["content"])]


def choose(better: Callable[[str], Any]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A judge that likes the answer for which `better` is larger, wherever it stands."""

    def judge(body: dict[str, Any]) -> dict[str, Any]:
        first, second = map(better, shown(body))
        result = "tie" if first == second else "first" if first > second else "second"
        return {"rationale": "looked", "result": result}

    return judge


def always(result: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda _body: {"rationale": "so", "result": result}


@pytest.fixture
def ask(monkeypatch) -> Iterator[Any]:
    """Ask a `Prefer` about the two answers; gives the preference and the requests."""
    monkeypatch.setenv("OPENAI_API_KEY", "any")

    def asked(judge: Any, **how: Any) -> tuple[Preference, list[dict[str, Any]]]:
        prefer = Prefer(**{"criterion": "The better answer is kind.", **how})
        with OpenAIServer(judge=judge) as server:
            monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
            preference = asyncio.run(prefer(CASE, BEFORE, AFTER))
            return preference, [request["body"] for request in server.requests]

    return asked


@pytest.mark.parametrize(("likes", "value"), [("sorry", 1.0), ("It is", 0.0), ("late", 0.5)])
def test_the_better_answer_wins_in_both_orders(ask, likes, value):
    preference, requests = ask(choose(lambda text: likes in text))

    assert (preference.value, preference.swayed) == (value, False)
    assert sorted(map(shown, requests)) == [[AFTER, BEFORE], [BEFORE, AFTER]]


@pytest.mark.parametrize("place", ["first", "second"])
def test_a_judge_that_goes_by_the_place_gives_a_tie_and_is_found_out(ask, place):
    preference, _ = ask(always(place))

    assert (preference.value, preference.swayed) == (0.5, True)


def test_a_win_in_one_order_and_a_tie_in_the_other_is_a_tie(ask):
    def judge(body: dict[str, Any]) -> dict[str, Any]:
        return {"rationale": "", "result": "second" if shown(body)[1] == AFTER else "tie"}

    preference, _ = ask(judge)

    assert (preference.value, preference.swayed) == (0.5, True)


def test_both_reasons_are_kept(ask):
    preference, _ = ask(choose(len))

    assert preference.rationale == (
        "baseline shown first: second. looked\ncandidate shown first: first. looked"
    )


def test_the_judge_is_not_told_which_version_is_which(ask):
    _, requests = ask(always("tie"), model="m-1", temperature=None)

    for body in requests:
        system, asked = (message["content"] for message in body["messages"])
        assert not re.search("baseline|candidate|version", system + asked, re.IGNORECASE)
        assert "# Criterion\nThe better answer is kind.\n" in asked
        assert "# Question\nWhere is my parcel?\n" in asked
        assert body["model"] == "m-1"
        assert "temperature" not in body
        schema = body["response_format"]["json_schema"]["schema"]
        assert schema["properties"]["result"] == {
            "type": "string",
            "enum": ["first", "second", "tie"],
        }


def test_each_answer_has_a_fence_that_nobody_can_know(ask):
    _, requests = ask(always("tie"))

    fences = [
        fence for body in requests for fence, _ in FENCED.findall(body["messages"][1]["content"])
    ]
    assert len(set(fences)) == 4
    system = requests[0]["messages"][0]["content"]
    assert f"The first answer stands between the line <<<{fences[0]} and" in system
    assert f"The second answer stands between the line <<<{fences[1]} and" in system


def test_bad_replies_are_repaired_twice(ask):
    left = iter(["both", "neither"])

    def judge(body: dict[str, Any]) -> dict[str, Any]:
        if shown(body) == [BEFORE, AFTER]:
            return {"rationale": "", "result": next(left, "second")}
        return {"rationale": "", "result": "first"}

    preference, requests = ask(judge)

    assert preference.value == 1
    assert len(requests) == 4


def test_a_judge_without_a_judgement_raises(ask):
    with pytest.raises(JudgeError, match=r"^judge gave no usable JSON in 3 replies: \$\.result "):
        ask(always("both"))


def test_votes_are_counted_in_each_order(ask):
    left = {BEFORE: iter(["second", "first", "second"]), AFTER: iter(["first", "first", "first"])}

    def judge(body: dict[str, Any]) -> dict[str, Any]:
        return {"rationale": "so", "result": next(left[shown(body)[0]])}

    preference, requests = ask(judge, votes=3)

    assert (preference.value, preference.swayed) == (1.0, False)
    assert preference.agreement == pytest.approx(5 / 6)
    assert len(requests) == 6


def test_three_votes_of_three_kinds_are_a_tie(ask):
    left = {place: iter(["first", "second", "tie"]) for place in (BEFORE, AFTER)}

    preference, _ = ask(
        lambda body: {"rationale": "", "result": next(left[shown(body)[0]])}, votes=3
    )

    assert (preference.value, preference.swayed) == (0.5, False)
    assert preference.agreement == pytest.approx(1 / 3)


def test_a_criterion_is_needed():
    with pytest.raises(ConfigError) as caught:
        Prefer(" ")

    assert str(caught.value) == (
        "Prefer: criterion is empty. Say in words what the better answer is."
    )


def test_its_card_knows_the_criterion_and_the_model():
    cards = [
        card_of(Prefer(criterion=criterion, model=model))
        for criterion, model in (("kind", "a"), ("kind", "b"), ("brief", "a"))
    ]

    assert [card.model for card in cards] == ["a", "b", "a"]
    assert all(card.judge for card in cards)
    assert len({card.digest for card in cards}) == 3


# the pairs


def pair(before: Result, after: Result) -> Pair:
    return Pair(case=CASE, baseline=before, candidate=after)


def result(output: Any = None, error: str = "") -> Result:
    return Result(case_id="c1", output=output, error=error)


@pytest.mark.parametrize(
    ("before", "after", "value", "why"),
    [
        (result("a"), result(error="down"), 0.0, "the candidate failed: down"),
        (result(error="down"), result("a"), 1.0, "the baseline failed: down"),
        (result(error="x"), result(error="y"), 0.5, "both failed"),
        (result({"a": 1}), result({"a": 1}), 0.5, "the outputs are equal"),
    ],
)
def test_some_pairs_need_no_judge(before, after, value, why):
    settled = preferences.settle("preferred", pair(before, after))

    assert settled == Preference(metric="preferred", case_id="c1", value=value, rationale=why)


def test_different_outputs_need_one():
    assert preferences.settle("preferred", pair(result("a"), result("b"))) is None


def test_repeats_are_compared_one_by_one_as_far_as_both_have_them():
    before = evaluation({"a": [1, 1, 1], "b": [1, 1, 1]})
    after = evaluation({"a": [1, 1], "b": [1, 1], "c": [1, 1]})

    both = preferences.pairs(before, after)

    assert [(each.case.id, each.candidate.repeat) for each in both] == [
        ("a", 0), ("a", 1), ("b", 0), ("b", 1),
    ]  # fmt: skip
    assert all(each.baseline.repeat == each.candidate.repeat for each in both)


def plan_of(side: Evaluation) -> Plan:
    return Plan(
        version=side.version, agent=str, dataset=side.dataset, scorers={}, cards={},
        answerer=Answerer(name="test"),
    )  # fmt: skip


def outcome(judge: Any, before: Evaluation, after: Evaluation) -> list[Preference]:
    """What a judge thinks of two evaluations, through the evaluation loop."""
    both = preferences.pairs(before, after)
    round = preferences.make_round("preferred", judge, both, plan_of(after))
    (asked,) = evaluate([round.plan])
    given = [*round.settled, *map(round.read, asked.results)]
    keys = [(each.case.id, each.candidate.repeat) for each in both]
    return list(preferences.complete(given, ["preferred"], keys))


def longer(case: Case, baseline: str, candidate: str) -> float:
    """Likes the longer answer."""
    return ((len(candidate) > len(baseline)) - (len(candidate) < len(baseline)) + 1) / 2


@given(st.dictionaries(st.sampled_from("abcdef"), st.tuples(st.text(), st.text()), min_size=1))
def test_swapping_the_sides_swaps_the_preference(outputs):
    sides = [
        evaluation(dict.fromkeys(outputs, 1), outputs={k: v[n] for k, v in outputs.items()})
        for n in (0, 1)
    ]

    there, back = outcome(longer, *sides), outcome(longer, *reversed(sides))

    assert [each.case_id for each in there] == [each.case_id for each in back] == list(outputs)
    assert [each.value for each in there] == [1 - (each.value or 0) for each in back]


def test_a_judge_may_be_a_plain_function():
    before, after = evaluation({"a": 1}), evaluation({"a": 1}, outputs={"a": "a longer answer"})

    assert outcome(longer, before, after) == [Preference(metric="preferred", case_id="a", value=1)]


@pytest.mark.parametrize(
    ("gave", "error"),
    [
        (2, "the judge gave 2, not a Preference or a number from 0 to 1"),
        ("first", "the judge gave 'first', not a Preference or a number from 0 to 1"),
    ],
)
def test_what_is_no_preference_is_unscored_and_no_tie(gave, error):
    before, after = evaluation({"a": 1}), evaluation({"a": 1}, outputs={"a": "b"})

    (unscored,) = outcome(lambda case, baseline, candidate: gave, before, after)

    assert (unscored.value, unscored.error) == (None, error)


def test_a_judge_that_raises_is_unscored():
    def broken(case: Case, baseline: str, candidate: str) -> float:
        raise JudgeError("no reply")

    before, after = evaluation({"a": 1}), evaluation({"a": 1}, outputs={"a": "b"})

    (unscored,) = outcome(broken, before, after)

    assert (unscored.value, unscored.error) == (None, "JudgeError: no reply")


def test_what_an_interrupt_left_out_is_missing():
    given_first = Preference(metric="m", case_id="a", value=1)

    first, second = preferences.complete([given_first], ["m"], [("a", 0), ("b", 0)])

    assert first == given_first
    assert second.value is None
    assert second.error == "the judge was not asked: the run was interrupted"


# the comparison


def test_equal_outputs_do_not_hide_that_the_order_decides():
    """Of the two pairs that a judge saw, the place decided one."""
    names = "abcd"
    before = evaluation(dict.fromkeys(names, 1), outputs=dict.fromkeys(names, "x"))
    after = evaluation(dict.fromkeys(names, 1), outputs={"a": "x", "b": "x", "c": "y", "d": "y"})
    thought = [
        Preference(metric="m", case_id=name, value=0.5, swayed=name == "d") for name in names
    ]

    assert compare(before, after, thought).swayed == {"m": 0.5}


def test_a_judge_that_never_answered_is_a_metric_without_a_pair():
    before, after = evaluation({"a": 1}), evaluation({"a": 1}, outputs={"a": "y"})
    card = ScorerCard(digest="d", judge=True, model="m-1")

    found = compare(before, after, [Preference(metric="m", case_id="a", error="no")], {"m": card})

    assert "m" not in found.pairs
    assert found.candidate.scorers["m"] == card
    assert found.swayed == {}


def test_preferences_about_other_cases_do_not_count():
    before, after = evaluation({"a": 1}), evaluation({"a": 1}, outputs={"a": "y"})
    thought = [Preference(metric="m", case_id=name, value=1) for name in "ab"]

    assert compare(before, after, thought).pairs["m"].asked == (1, 1)


# the files


def test_what_is_saved_is_loaded(tmp_path: Path):
    first = Preference(metric="m", case_id="a", value=1, rationale="r")
    second = Preference(metric="m", case_id="b", repeat=1, error="e", swayed=True)
    saved = results.Preferences(
        baseline="v1", judges={"m": ScorerCard(digest="d", judge=True)},
        pairs=(("a", 0), ("b", 1)), given=(first,),
    )  # fmt: skip

    results.save_preferences(saved, tmp_path)
    results.append_preference(second, tmp_path)
    loaded = results.load_preferences(tmp_path)

    assert loaded
    assert loaded.given == (first, second)
    assert (loaded.baseline, loaded.judges, loaded.pairs) == ("v1", saved.judges, saved.pairs)


def test_no_file_is_no_preference(tmp_path: Path):
    assert results.load_preferences(tmp_path) is None


@pytest.mark.parametrize(
    ("record", "rows", "said"),
    [
        ("{", "", "preferences.json: cannot be read (Expecting property name enclosed in double"
         " quotes: line 1 column 2 (char 1)). Evaluate again."),
        ('{"schema": 9}', "", "preferences.json: written with layout 9, this vcmp reads 1."
         " Evaluate again, or use the vcmp that wrote it."),
        ('{"schema": 1, "baseline": "b", "judges": {}}', "[\n", "preferences.jsonl: cannot be read"
         " (Expecting value: line 1 column 2 (char 1)). Evaluate again."),
    ],
)  # fmt: skip
def test_damaged_files_are_told(tmp_path: Path, record: str, rows: str, said: str):
    (tmp_path / "preferences.json").write_text(record, encoding="utf-8")
    (tmp_path / "preferences.jsonl").write_text(rows, encoding="utf-8")

    with pytest.raises(ResultsError) as caught:
        results.load_preferences(tmp_path)

    assert str(caught.value) == f"{tmp_path}/{said}"


# the command line

GATE = """\
# ship what is preferred
rules: [{_target_: vcmp.gates.Superiority, metric: preferred}]
primary: [preferred]
"""


def warm(messages: list[dict[str, Any]], body: dict[str, Any]) -> str:
    """Equal answers to every fourth question; else kinder where the prompt wants it."""
    asked = messages[-1]["content"]
    kind = "caring" in str(messages) and not re.search(r"order \d*[048]\?", asked)
    return "I am sorry. It is on its way." if kind else "It is on its way."


def sweep(project: Path, vcmp: Run, server: OpenAIServer, *more: str, n_cases: int = 20) -> Any:
    write(project, "conf/gate/wins.yaml", GATE)
    return vcmp(
        "agent=empathetic,basic", "provider=compatible", f"provider.base_url={server.base_url}",
        write_cases(project, n_cases), "scorers=preferred", "gate=wins", "tracking=none", "-m",
        *more,
    )  # fmt: skip


def thought(project: Path) -> list[dict[str, Any]]:
    text = (sweep_folder(project) / "0/preferences.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_the_preferred_version_ships_and_only_different_outputs_are_judged(
    project: Path, vcmp: Run
):
    """Two calls for each pair that differs, and not one more; concluding again costs none."""
    with OpenAIServer(warm, judge=choose(lambda text: "sorry" in text), delay_s=0.02) as server:
        done = sweep(project, vcmp, server, "repeats=2", "concurrency=4")

    assert done.returncode == 0, done.stdout + done.stderr
    equal = sum(bool(re.search("[048]$", str(n))) for n in range(20))
    assert len(server.answered) == 20 * 2 * 2
    assert len(server.judged) == 2 * 2 * (20 - equal) + 2  # and a known-bad answer, once
    assert server.peak <= 2 * 4
    assert f"comparing {2 * (20 - equal)} of {2 * (20 - equal)}  0 errors" in done.stdout
    values = [row["value"] for row in thought(project)]
    assert (len(values), values.count(0.5), values.count(1)) == (40, 2 * equal, 40 - 2 * equal)
    assert verdict(project)["ship"] == "empathetic"

    again = vcmp("conclude", str(sweep_folder(project)))

    assert again.returncode == 0, again.stderr
    assert verdict(project)["ship"] == "empathetic"


def test_a_judge_that_goes_by_the_place_decides_nothing_and_the_report_says_so(
    project: Path, vcmp: Run
):
    with OpenAIServer(warm, judge=always("first")) as server:
        done = sweep(project, vcmp, server)

    assert done.returncode in (1, 3), done.stdout + done.stderr
    assert {row["value"] for row in thought(project)} == {0.5}
    report = (sweep_folder(project) / "report.md").read_text(encoding="utf-8")
    assert "the order of the answers decided 100 % of its judgements" in report


def test_a_judge_that_fails_leaves_pairs_unscored_and_the_verdict_invalid(project: Path, vcmp: Run):
    with OpenAIServer(warm, judge=always("both")) as server:
        done = sweep(project, vcmp, server, n_cases=8)

    assert done.returncode == 4, done.stdout + done.stderr
    asked = [row for row in thought(project) if row["rationale"] != "the outputs are equal"]
    assert {row["value"] for row in asked} == {None}
    assert all("no usable JSON in 3 replies" in row["error"] for row in asked)
    assert f"{len(asked)} errors" in done.stdout


FLAKY = """
def answer(question, *, fails=False):
    if fails and question.endswith("1?"):
        raise ConnectionError("down")
    return f"Your order is on its way. {fails}"
"""


def test_a_failed_agent_loses_without_a_call(project: Path, vcmp: Run):
    write(project, "agents/flaky.py", FLAKY)
    node = "_target_: agents.flaky.answer\n_partial_: true\n"
    write(project, "conf/agent/steady.yaml", node)
    write(project, "conf/agent/flaky.yaml", f"{node}fails: true\n")

    with OpenAIServer(judge=always("tie")) as server:
        done = vcmp("agent=flaky,steady", "baseline=steady", write_cases(project, 10), "gate=none",
                    "scorers=preferred", "tracking=none", "provider=compatible", "-m",
                    f"provider.base_url={server.base_url}")  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    assert len(server.judged) == 2 * 9 + 2
    lost = [row for row in thought(project) if row["value"] == 0]
    assert [row["rationale"] for row in lost] == ["the candidate failed: ConnectionError: down"]


def test_without_a_baseline_no_judge_is_asked_and_a_note_says_so(project: Path, vcmp: Run):
    with OpenAIServer(warm) as server:
        done = vcmp("agent=basic", "baseline=null", "scorers=preferred", write_cases(project, 3),
                    "gate=none", "tracking=none", "provider=compatible",
                    f"provider.base_url={server.base_url}")  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    assert server.judged == []
    assert (
        "note: preferred was not asked: there is no baseline to compare outputs with\n"
        in done.stdout
    )
    assert not (sweep_folder(project) / "0/preferences.json").exists()
    assert "preferred" not in rows(project, 0)[0]["scores"]


def test_the_scripted_demo_compares_too_and_says_that_it_is_one(project: Path, vcmp: Run):
    done = vcmp("agent=empathetic,basic", "scorers=preferred", "gate=none", "tracking=none",
                "dataset.limit=8", "-m")  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    report = (sweep_folder(project) / "report.md").read_text(encoding="utf-8")
    assert "| `preferred` (scripted judge) | 8 in 2 clusters | 8 / 8 | 0.500 |" in report
    record = json.loads((sweep_folder(project) / "0/preferences.json").read_text("utf-8"))
    assert record["judges"]["preferred"]["model"] == "gpt-4o-mini"
    assert len(record["judges"]["preferred"]["digest"]) == 64


@pytest.mark.usefixtures("stored")
def test_an_agent_that_traces_itself_can_be_compared(project: Path, vcmp: Run):
    """Its module turns tracing on for the whole process; the judge's calls leave no trace."""
    done = vcmp("agent=traced,basic", "scorers=preferred", "gate=none", "dataset.limit=6", "-m")

    assert done.returncode == 0, done.stdout + done.stderr
    assert len(thought(project)) == 6
    assert not [row["error"] for row in thought(project) if row["error"]]


def test_an_interrupt_keeps_what_was_judged_and_the_rest_counts_as_missing(
    project: Path, vcmp: Run
):
    def faults(index: int, body: dict[str, Any]) -> Any:
        return ("hang", 60) if "First answer" in str(body) and index % 3 == 0 else None

    write(project, "conf/gate/wins.yaml", GATE)
    cases = write_cases(project, 12)
    with OpenAIServer(warm, judge=choose(len), faults=faults) as server:
        process = start_vcmp(
            project, "agent=empathetic,basic", "scorers=preferred", cases,
            "+scorers.preferred.canary=null", "gate=wins", "tracking=none", "-m",
            "provider=compatible", f"provider.base_url={server.base_url}", "concurrency=2",
            env={"OPENAI_API_KEY": "any"},
        )  # fmt: skip
        while len(server.judged) < 4:
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)

    assert (process.returncode, err) == (130, "")
    assert out.splitlines()[-2].startswith("interrupted: 24 of 24 results are kept in ")
    n_kept = len(thought(project))
    assert n_kept < 12

    concluded = vcmp("conclude", str(sweep_folder(project)))

    assert concluded.returncode == 4, concluded.stdout + concluded.stderr
    assert f"{n_kept} of 12" in concluded.stdout + (sweep_folder(project) / "report.md").read_text(
        "utf-8"
    ).replace(" / ", " of ")
