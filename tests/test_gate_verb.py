"""`vcmp gate` on a command line: tables, the files of promptfoo and inspect, exit codes."""

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import vcmp
from tests.conftest import run_vcmp
from vcmp import tables
from vcmp.cli import main
from vcmp.tables import Table

DATA = Path(__file__).parent / "data"
HEAD = "case_id,scorer,baseline,candidate"
RULE = "rules: [{_target_: vcmp.gates.NonInferiority, metric: %s}]\n"
Gate = Callable[..., tuple[int, str, str]]


@pytest.fixture
def gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """`gate(*arguments)` runs `vcmp gate` in a folder that has policy.yaml and the sample files."""
    monkeypatch.chdir(tmp_path)
    Path("policy.yaml").write_text(RULE % "q", encoding="utf-8")
    for sample in DATA.iterdir():
        shutil.copy(sample, tmp_path)

    def run(*arguments: str, policy: str = "policy.yaml") -> tuple[int, str, str]:
        code = main(["gate", *arguments, "--policy", policy])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return run


def table(n: int, candidate: str = "1", name: str = "scores.csv") -> str:
    """The name of a file in which the baseline is always right."""
    lines = (f"c{case},q,1,{candidate}" for case in range(n))
    Path(name).write_text("\n".join([HEAD, *lines, ""]), encoding="utf-8")
    return name


def said(result: tuple[int, str, str]) -> str:
    """What was said on stderr by a command that could not be used."""
    code, out, err = result
    assert (code, out) == (2, "")
    return err.removeprefix("vcmp: ").rstrip("\n")


def test_a_table_is_judged_in_a_process_of_its_own(tmp_path: Path):
    """As in CI: exit code, what is shown, and verdict.json."""
    lines = [f"v2,c{n},1,q,1" for n in range(400)]
    (tmp_path / "t.csv").write_text(
        "\n".join(["variant,case_id,baseline,scorer,candidate", *lines]), encoding="utf-8"
    )
    (tmp_path / "p.yaml").write_text(RULE % "q", encoding="utf-8")
    done = run_vcmp(tmp_path, "gate", "--scores", "t.csv", "--policy", "p.yaml", "--out", "v.json")

    assert (done.returncode, done.stderr) == (0, "")
    assert "v2 against baseline: pass" in done.stdout
    assert done.stdout.endswith("\nverdict   v.json\n")
    verdict = json.loads((tmp_path / "v.json").read_text(encoding="utf-8"))
    assert (verdict["verdict"], verdict["ship"]) == ("pass", "v2")


@pytest.mark.parametrize(
    ("n", "candidate", "code", "outcome"),
    [(400, "1", 0, "pass"), (400, "0", 1, "fail"), (5, "1", 3, "inconclusive"),
     (400, "", 4, "invalid")],
)  # fmt: skip
def test_the_exit_code_is_the_verdict(n: int, candidate: str, code: int, outcome: str, gate: Gate):
    assert gate("--scores", table(n, candidate), "--out", "verdict.json")[0] == code
    assert json.loads(Path("verdict.json").read_text(encoding="utf-8"))["verdict"] == outcome


def test_a_misspelt_primary_metric_is_refused_with_the_nearest(gate: Gate):
    Path("p.yaml").write_text(RULE % "q" + "primary: [qq]\n", encoding="utf-8")

    assert said(gate("--scores", table(400), policy="p.yaml")) == (
        "gate=p: primary 'qq' is neither a scorer nor a measurement. Did you mean 'q'?\n"
        "  The scorers are q."
    )


@pytest.mark.parametrize("primary", ["q", "q/mean", "latency_s", "error_rate"])
def test_a_primary_metric_may_be_a_scorer_or_a_measurement(primary: str, gate: Gate):
    Path("p.yaml").write_text(RULE % "q" + f"primary: [{primary}]\n", encoding="utf-8")

    assert gate("--scores", table(400), policy="p.yaml")[0] == 0


def test_a_table_that_lacks_what_a_rule_wants_is_no_mistake_of_the_policy(gate: Gate):
    """The scorer may have failed throughout: that cannot be judged, and CI tells it from a typo."""
    Path("p.yaml").write_text(RULE % "right" + "primary: [right]\n", encoding="utf-8")

    assert gate("--scores", table(400), policy="p.yaml")[0] == 4


def test_versions_with_no_case_in_common_are_told_how_cases_are_compared(gate: Gate):
    """Most likely their case ids differ."""
    head = "case_id,scorer,baseline,candidate\n"
    lines = [f"a{case},q,1,\nb{case},q,,1\n" for case in range(50)]
    Path("scores.csv").write_text(head + "".join(lines), encoding="utf-8")

    code, out, _ = gate("--scores", "scores.csv")

    assert code == 4
    assert "give a line a value on both sides: cases are compared by their case_id" in out


def two_variants(name: str = "scores.csv") -> str:
    """`good` is as right as the baseline on 400 cases, `bad` on none."""
    lines = [f"{v},c{n},q,1,{int(v == 'good')}" for v in ("bad", "good") for n in range(400)]
    Path(name).write_text("\n".join([f"variant,{HEAD}", *lines, ""]), encoding="utf-8")
    return name


def test_a_sweep_that_fails_ships_nothing_and_names_who_passes(gate: Gate):
    """Exit code, verdict, ship and rollout give one answer; each candidate keeps its own."""
    code, out, _ = gate("--scores", two_variants(), "--out", "verdict.json")

    verdict = json.loads(Path("verdict.json").read_text(encoding="utf-8"))
    own = {each["variant"]: each["outcome"] for each in verdict["candidates"]}
    assert (code, verdict["verdict"], verdict["ship"], verdict["rollout"]) == (1, "fail", None, 0.0)
    assert (verdict["best"], own) == ("good", {"good": "pass", "bad": "fail"})
    assert "\nfail: 1 of 2 candidates fails gate policy; only good passes\n  good: pass\n" in out
    assert (
        "    next: nothing ships unless every candidate passes; to have the best one chosen set "
        "select: best_passing in the gate\n"
    ) in out


def test_where_one_is_chosen_it_ships_whatever_the_others_did(gate: Gate):
    Path("p.yaml").write_text(RULE % "q" + "select: best_passing\n", encoding="utf-8")

    code, out, _ = gate("--scores", two_variants(), "--out", "verdict.json", policy="p.yaml")

    verdict = json.loads(Path("verdict.json").read_text(encoding="utf-8"))
    assert (code, verdict["ship"], verdict["rollout"]) == (0, "good", 0.1)
    assert "next: start with 10 % of the users\n" in out


def test_a_policy_may_let_the_inconclusive_pass(gate: Gate):
    Path("lenient.yaml").write_text("defaults: [policy]\non_inconclusive: allow", encoding="utf-8")

    code, out, _ = gate("--scores", table(5), policy="lenient.yaml")
    assert (code, "inconclusive: too little evidence" in out) == (0, True)


def test_a_rule_may_be_the_projects_own(gate: Gate):
    Path("mine_for_gate.py").write_text(
        "from vcmp import Finding\n"
        "class Never:\n"
        "    needs_baseline = False\n"
        "    def __call__(self, comparison, policy):\n"
        "        return Finding(rule='never', metric='', outcome='fail', observed='no')\n",
        encoding="utf-8",
    )
    Path("policy.yaml").write_text("rules: [{_target_: mine_for_gate.Never}]", encoding="utf-8")

    assert gate("--scores", table(400))[0] == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--scores", "none.csv"],
            "none.csv: cannot be read (No such file or directory). Give a CSV file.",
        ),
        (
            ["--scores", "scores.csv", "alpha=0.1"],
            "alpha=0.1: vcmp gate takes no overrides. Change the policy's file.",
        ),
        (
            ["--scores", "scores.csv", "--out", "."],
            "--out .: is a folder. Name a file in it: verdict.json",
        ),
        (
            ["--scores", "scores.csv", "--out", "no/verdict.json"],
            "--out no/verdict.json: there is no folder 'no'. Make it first.",
        ),
        (
            ["--scores", "scores.csv", "--baseline", "basic"],
            "scores.csv: a CSV file has the baseline in a column. Leave out --baseline.",
        ),
        (
            ["--scores", "scores.csv", "scores.csv"],
            "scores.csv: several CSV files are no table. Put their lines into one, with the column"
            " 'variant'.",
        ),
        (
            ["--scores", "log.eval", "--baseline", "basic"],
            "log.eval: is a binary log of inspect. Convert it:\n"
            "  inspect log convert --to json --output-dir converted log.eval",
        ),
        (
            ["--scores", "broken.json"],
            "broken.json: is no JSON (Expecting value: line 1 column 2 (char 1)). Write it again.",
        ),
        (
            ["--scores", "other.json"],
            "other.json: is neither promptfoo's results nor an inspect log. Give a CSV file, or"
            " what `promptfoo eval -o results.json` or inspect writes.",
        ),
        (
            ["--scores", "odd.json"],
            "odd.json: is not built as its tool builds it (AttributeError: 'int' object has no"
            " attribute 'get'). Write it again, or give a CSV file.",
        ),
        (
            ["--scores", "promptfoo.json", "inspect_kind.json"],
            "inspect_kind.json: comes from another tool than promptfoo.json. Give the files of one"
            " tool.",
        ),
        (
            ["--scores", "promptfoo.json"],
            "promptfoo.json: has 'basic', 'kind'. Say which is the baseline: --baseline basic",
        ),
        (
            ["--scores", "promptfoo.json", "--baseline", "basics"],
            "--baseline 'basics' is not in promptfoo.json, which has 'basic', 'kind'."
            " Did you mean 'basic'?",
        ),
        (
            ["--scores", "promptfoo.json", "--baseline", "openai:gpt-4o-mini"],
            "--baseline 'openai:gpt-4o-mini' may be 'basic', 'kind'. Name one of them.",
        ),
        (
            ["--scores", "inspect_kind.json", "--baseline", "support"],
            "inspect_kind.json: has one version, 'inspect_kind'. Give a second one to compare.",
        ),
        (
            ["--scores", "inspect_plain.json", "inspect_kind.json"],
            "inspect_plain.json and 1 more: has 'tone_plain', 'tone_kind'. Say which is the"
            " baseline: --baseline tone_plain",
        ),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, list) else "",
)
def test_what_cannot_be_used_is_said_with_exit_code_2(
    arguments: list[str], message: str, gate: Gate
):
    table(5)
    Path("log.eval").write_bytes(b"PK\x03\x04")
    Path("broken.json").write_text("[oops", encoding="utf-8")
    Path("other.json").write_text('{"scores": []}', encoding="utf-8")
    Path("odd.json").write_text('{"results": {"results": [5]}}', encoding="utf-8")

    assert said(gate(*arguments)) == message


def test_a_missing_policy_is_named(gate: Gate):
    assert said(gate("--scores", table(5), policy="none.yaml")) == (
        "none.yaml: there is no such file. Give a policy like conf/gate/*.yaml"
    )


def test_options_are_explained(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        main(["gate", "--scores", "scores.csv"])

    assert ended.value.code == 2
    assert "the following arguments are required: --policy" in capsys.readouterr().err


# promptfoo


def rows(table: Table) -> dict[tuple[str, int, str], tuple[Any, Any]]:
    """By case (its first word), repeat and scorer, the values of both."""
    columns = [table.columns[name] for name in tables.COLUMNS]
    return {
        (case_id.split()[0], repeat, scorer): (before, after)
        for _, case_id, _, _, repeat, scorer, before, after in zip(*columns, strict=True)
    }


def marks(table: Table) -> dict[str, tuple[str, str]]:
    names = (table.columns[name] for name in ("case_id", "cluster", "tag"))
    return {case_id.split()[0]: (c, t) for case_id, c, t in zip(*names, strict=True)}


def test_promptfoos_prompts_are_compared(gate: Gate):
    """Of its repeats one case is made, of an error the worst score."""
    Path("policy.yaml").write_text(RULE % "polite", encoding="utf-8")
    code, out, _ = gate("--scores", "promptfoo.json", "--baseline", "basic", "--out", "v.json")
    verdict = json.loads(Path("v.json").read_text(encoding="utf-8"))

    assert code == 3
    assert "kind against baseline: inconclusive" in out
    (candidate,) = verdict["candidates"]
    assert (candidate["variant"], candidate["n_cases"]) == ("kind", 5)
    assert candidate["deltas"]["polite"]["baseline"] == pytest.approx(3 / 5)
    assert candidate["deltas"]["polite"]["candidate"] == pytest.approx(3 / 5)
    assert candidate["metrics"]["error_rate"] == pytest.approx(2 / 5)


def test_promptfoos_rows_become_lines():
    table = tables.read([DATA / "promptfoo.json"], "basic")
    values = rows(table)

    assert {(case, repeat) for case, repeat, _ in values} == {
        ("greets", 0), ("greets", 1), ("two", 0), ("two", 1), ("down", 0), ("mute", 0),
        ("judged", 0),
    }  # fmt: skip
    assert values["greets", 0, "success"] == (0.0, 1.0)
    assert values["greets", 0, "score"] == (0.5, 1.0)
    assert values["greets", 0, "polite"] == (0.0, 1.0)
    assert values["greets", 0, "latency_s"] == (0.9, 0.9)
    assert values["greets", 0, "cost_usd"] == (0.001, 0.001)
    assert values["greets", 0, "input_tokens"] == (8.0, 8.0)
    assert values["greets", 0, "output_tokens"] == (4.0, 4.0)
    assert values["greets", 0, "output_chars"] == (3.0, 11.0)
    assert marks(table) == {
        "greets": ("openings", "easy;short"), "two": ("talk", ""), "down": ("", ""),
        "mute": ("", ""), "judged": ("", ""),
    }  # fmt: skip


def test_promptfoos_failed_rows_are_told_from_rejected_ones():
    """`error` holds the reason of a failed assertion, too."""
    values = rows(tables.read([DATA / "promptfoo.json"], "basic"))

    assert values["greets", 0, "error"] == (0.0, 0.0)
    assert values["down", 0, "error"] == (0.0, 1.0)
    assert values["down", 0, "success"] == (1.0, None)
    assert values["mute", 0, "error"] == (0.0, 1.0)


def test_promptfoos_failed_judge_is_unscored():
    values = rows(tables.read([DATA / "promptfoo.json"], "basic"))

    assert values["judged", 0, "error"] == (0.0, 0.0)
    assert values["judged", 0, "success"] == (1.0, None)
    assert values["judged", 0, "polite"] == (1.0, 1.0)
    assert ("judged", 0, "nice") not in values


def test_an_answer_from_promptfoos_cache_has_no_time():
    values = rows(tables.read([DATA / "promptfoo.json"], "basic"))

    assert values["two", 1, "latency_s"] == (0.9, None)
    assert values["two", 1, "polite"] == (0.0, 1.0)


def edited(name: str, target: str, change: Callable[[Any], object]) -> str:
    """A copy of a sample file with a change."""
    document = json.loads((DATA / name).read_text(encoding="utf-8"))
    change(document)
    Path(target).write_text(json.dumps(document), encoding="utf-8")
    return target


def keep(label: str) -> Callable[[Any], object]:
    def only(document: Any) -> None:
        found = document["results"]["results"]
        document["results"]["results"] = [r for r in found if r["prompt"]["label"] == label]

    return only


def test_two_files_of_promptfoo_are_joined_by_what_they_ask(gate: Gate):
    """Results of two branches: the same tests, the same name of the prompt."""

    def rename(document: Any) -> None:
        keep("kind")(document)
        for row in document["results"]["results"]:
            row["prompt"]["label"] = "basic"
            row["testIdx"] += 10

    edited("promptfoo.json", "main.json", keep("basic"))
    edited("promptfoo.json", "branch.json", rename)
    joined = tables.read(["main.json", "branch.json"], "main")

    assert set(joined.columns["variant"]) == {"branch"}
    assert rows(joined) == rows(tables.read([DATA / "promptfoo.json"], "basic"))


def test_promptfoos_providers_name_versions_of_one_prompt(gate: Gate):
    def vary(document: Any) -> None:
        for row in document["results"]["results"]:
            row["provider"]["id"] += str(row["promptIdx"])
            row["prompt"]["label"] = "Answer\n" + "the question " * 9

    edited("promptfoo.json", "providers.json", vary)

    assert said(gate("--scores", "providers.json")) == (
        "providers.json: has 'openai:gpt-4o-mini0', 'openai:gpt-4o-mini1'. Say which is the"
        " baseline: --baseline openai:gpt-4o-mini0"
    )


def test_a_name_is_meant_before_a_file_that_is_called_so(gate: Gate):
    shutil.copy("promptfoo.json", "basic.json")

    assert set(tables.read(["basic.json"], "basic").columns["variant"]) == {"kind"}


def test_a_name_with_a_sign_of_an_override_can_be_given(gate: Gate):
    def rename(document: Any) -> None:
        for row in document["results"]["results"]:
            row["prompt"]["label"] = f"tone={row['promptIdx']}"

    edited("promptfoo.json", "tones.json", rename)

    assert said(gate("--scores", "tones.json")).endswith("the baseline: --baseline=tone=0")
    assert gate("--scores", "tones.json", "--baseline=tone=0")[0] == 4  # nothing is scored on q


def test_a_score_with_a_slash_in_its_name_can_be_gated(gate: Gate):
    """As red-team metrics have; a rule would take what follows for a statistic."""

    def rename(document: Any) -> None:
        for row in document["results"]["results"]:
            row["namedScores"] = {f"tone/{k}": v for k, v in row["namedScores"].items()}

    Path("policy.yaml").write_text(RULE % "tone.polite", encoding="utf-8")
    edited("promptfoo.json", "slash.json", rename)

    assert gate("--scores", "slash.json", "--baseline", "basic")[0] == 3


def test_versions_that_differ_in_nothing_are_numbered(gate: Gate):
    def level(document: Any) -> None:
        for row in document["results"]["results"]:
            row["prompt"]["label"] = "x"

    edited("promptfoo.json", "same.json", level)

    assert said(gate("--scores", "same.json")) == (
        "same.json: has 'same 1', 'same 2'. Say which is the baseline: --baseline 'same 1'"
    )


def test_a_score_with_a_name_of_something_else_is_refused(gate: Gate):
    edited("promptfoo.json", "p.json",
           lambda d: d["results"]["results"][0]["namedScores"].update(error=1))  # fmt: skip
    edited("inspect_kind.json", "i.json",
           lambda d: d["samples"][0]["scores"].update(latency_s={"value": 1}))  # fmt: skip

    assert said(gate("--scores", "p.json", "--baseline", "basic")) == (
        "p.json: a score is called 'error', which means something else here. Rename it."
    )
    assert said(gate("--scores", "i.json", "inspect_plain.json", "--baseline", "i.json")) == (
        "i.json: a score is called 'latency_s', which means something else here. Rename it."
    )


def test_results_without_a_row_are_refused(gate: Gate):
    edited("promptfoo.json", "empty.json", lambda d: d["results"]["results"].clear())

    assert said(gate("--scores", "empty.json", "--baseline", "basic")) == (
        "empty.json: has no result. Run promptfoo again."
    )


# inspect

LOGS = [DATA / "inspect_plain.json", DATA / "inspect_kind.json"]


@pytest.mark.parametrize("name", ["tone_plain", "inspect_plain.json", "inspect_plain"])
def test_inspects_logs_are_compared(name: str, gate: Gate):
    """The baseline may be named by what it differs in, or by its file."""
    Path("policy.yaml").write_text(RULE % "includes" + "missing_limit: 0.5", encoding="utf-8")
    code, out, _ = gate("--scores", "inspect_plain.json", "--scores", "inspect_kind.json",
                        "--baseline", name, "--out", "v.json")  # fmt: skip
    (candidate,) = json.loads(Path("v.json").read_text(encoding="utf-8"))["candidates"]

    assert (code, candidate["variant"], candidate["n_cases"]) == (3, "tone_kind", 5)
    assert "tone_kind against baseline: inconclusive" in out
    assert candidate["deltas"]["includes"]["baseline"] == pytest.approx(0.6875)
    assert candidate["deltas"]["includes"]["candidate"] == pytest.approx(0.875)


def test_inspects_samples_become_lines():
    """Letters are numbers, an epoch is a repeat, several values of a scorer are several scorers."""
    table = tables.read(LOGS, "tone_plain")
    values = rows(table)

    assert [values["b", epoch, "includes"] for epoch in (1, 2)] == [(0.5, 1.0), (0.0, 1.0)]
    assert [values["a", epoch, "includes"] for epoch in (1, 2)] == [(1.0, 1.0), (0.0, 1.0)]
    assert values["4", 1, "graded.short"] == (1.0, None)
    assert values["4", 2, "graded.kind"] == (0.5, None)
    assert values["a", 1, "latency_s"] == (1.0, 1.0)
    assert values["a", 1, "input_tokens"] == (11.0, 11.0)
    assert values["a", 1, "cost_usd"] == (0.002, 0.002)
    assert marks(table)["a"] == ("x", "short")


def test_inspects_failures_are_told_apart():
    """Of the sample, of a scorer, and of what was taken back."""
    values = rows(tables.read(LOGS, "tone_plain"))

    assert values["c", 1, "error"] == (0.0, 1.0)
    assert (values["c", 2, "error"], values["c", 2, "graded"]) == ((0.0, 0.0), (0.5, None))
    assert values["b", 1, "graded"] == (None, 0.5)
    assert values["4", 1, "error"] == (0.0, None)
    assert values["unseen", 1, "error"] == (None, None)


def test_the_tokens_of_inspects_grader_are_not_the_agents():
    values = rows(tables.read(LOGS, "tone_plain"))

    assert values["4", 2, "input_tokens"] == (11.0, 6.0)
    assert values["4", 2, "output_tokens"] == (4.0, 3.0)
    assert values["4", 2, "cost_usd"] == pytest.approx((0.002, 0.0005))


@pytest.mark.parametrize(
    ("value", "number"),
    [("C", 1), ("I", 0), ("P", 0.5), ("N", 0), (True, 1), (0.25, 0.25), ("0.5", 0.5), ("Yes", 1),
     ("FALSE", 0), (math.nan, None), (None, None)],
)  # fmt: skip
def test_what_inspect_scores_with_is_a_number(value: Any, number: float | None, gate: Gate):
    edited("inspect_kind.json", "i.json",
           lambda d: d["samples"][0]["scores"]["includes"].update(value=value))  # fmt: skip
    values = rows(tables.read([LOGS[0], "i.json"], "inspect_plain"))

    assert values["a", 1, "includes"] == (1.0, number)


@pytest.mark.parametrize("value", ["good", ["C", "I"]])
def test_a_score_of_inspect_that_is_no_number_is_refused(value: Any, gate: Gate):
    edited("inspect_kind.json", "i.json",
           lambda d: d["samples"][0]["scores"]["includes"].update(value=value))  # fmt: skip

    assert said(gate("--scores", "inspect_plain.json", "i.json", "--baseline", "i")) == (
        f"i.json: sample 'a' has {value!r} for 'includes', which is no number.\n"
        "  Numbers, true and false, and the letters C, I, P and N can be compared."
    )


def test_the_head_of_an_inspect_log_is_refused(gate: Gate):
    edited("inspect_kind.json", "head.json", lambda d: d.pop("samples"))

    assert said(gate("--scores", "inspect_plain.json", "head.json", "--baseline", "head")) == (
        "head.json: has no samples. Give the whole log, not its head alone."
    )


def test_a_table_that_was_read_can_be_decided_on():
    """In Python, where there is no --baseline."""
    rule = {"_target_": "vcmp.gates.MaxRate", "metric": "error_rate", "max": 0.5}
    verdict = vcmp.decide(tables.read(LOGS, "tone_plain"), {"rules": [rule]})

    assert verdict["findings"][0]["variant"] == "tone_kind"
    assert verdict["verdict"] in ("inconclusive", "invalid")
