"""Tables of scores from other tools: what the format promises, and the traps of a gate."""

import json
import math
import random
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vcmp
from vcmp import decisions, reports, tables
from vcmp.errors import ConfigError
from vcmp.gates import NonInferiority, Policy
from vcmp.policies import load_policy
from vcmp.types import Arm

HEAD = "variant,case_id,cluster,tag,repeat,scorer,baseline,candidate"
Line = tuple[str, str, str, str, int, str, Any, Any]


def rule(name: str, **parameters: Any) -> dict[str, Any]:
    return {"_target_": f"vcmp.gates.{name}", **parameters}


NO_WORSE = rule("NonInferiority", metric="q")
RATE = rule("MaxRate", metric="error_rate", max=0.01)
COST = rule("MaxRatio", metric="cost_usd", stat="total", max=1.2)


def policy(*rules: Any, **keys: Any) -> dict[str, Any]:
    return {"rules": list(rules or (NO_WORSE,)), **keys}


def lines(
    before: Callable[[int, int], Any],
    after: Callable[[int, int], Any],
    *,
    n: int = 100,
    repeats: int = 1,
    scorer: str = "q",
    cluster: str = "",
    variant: str = "",
) -> list[Line]:
    """A line for each case and repeat, with values by their numbers."""
    return [
        (
            variant,
            f"c{case}",
            cluster,
            "",
            repeat,
            scorer,
            before(case, repeat),
            after(case, repeat),
        )
        for case in range(n)
        for repeat in range(repeats)
    ]


def always(value: Any) -> Callable[[int, int], Any]:
    return lambda case, repeat: value


def mapping(rows: list[Line]) -> dict[str, list[Any]]:
    columns = zip(*rows, strict=True)
    return dict(zip(HEAD.split(","), map(list, columns), strict=True))


def decide(rows: list[Line], *rules: Any, **keys: Any) -> dict[str, Any]:
    return vcmp.decide(mapping(rows), policy(*rules, **keys))


def write(path: Path, *text: str) -> Path:
    path.write_text("\n".join(text) + "\n", encoding="utf-8")
    return path


def arms(table: Mapping[str, list[Any]], measurements: frozenset[str] = frozenset()) -> list[Arm]:
    """What a table of one variant says of the baseline and of the candidate."""
    (trial,) = tables.group(*tables.columns_of(table), measurements)
    return list(trial.arms(trial.cases))


same = lines(lambda case, _: case % 2, lambda case, _: case % 2, n=5)
NINE_OF_TEN = lambda case, _: int(case % 10 > 0)  # noqa: E731
errors = lines(always(0), always(0), scorer="error")

TRAPS: dict[str, tuple[list[Line], Any, set[str]]] = {
    "identical scores of 5 cases": (same, NO_WORSE, {"inconclusive"}),
    "identical scores of 400 cases": (
        lines(NINE_OF_TEN, NINE_OF_TEN, n=400), NO_WORSE, {"pass"},
    ),
    "one case": (lines(always(1), always(1), n=1), NO_WORSE, {"inconclusive"}),
    "12 cases of 20 identical repeats, 3 lost": (
        lines(always(1), lambda case, _: int(case > 2), n=12, repeats=20), NO_WORSE,
        {"inconclusive"},
    ),
    "100 cases in one cluster": (
        lines(NINE_OF_TEN, NINE_OF_TEN, cluster="all"), NO_WORSE, {"inconclusive"},
    ),
    "a candidate that failed on 40 %": (
        lines(always(1), lambda case, _: "" if case % 5 < 2 else 1)
        + lines(always(0), lambda case, _: int(case % 5 < 2), scorer="error"),
        NO_WORSE, {"fail", "invalid"},
    ),
    "no case in common": (
        lines(lambda case, _: 1 if case < 50 else "", lambda case, _: "" if case < 50 else 1),
        NO_WORSE, {"invalid"},
    ),
    "a scorer that is missing": (
        lines(always(1), always(1), scorer="other"), NO_WORSE, {"invalid"},
    ),
    "a baseline that cost nothing": (
        lines(always(0), always(0.1), scorer="cost_usd"), COST, {"inconclusive"},
    ),
    "30 of 30 at a threshold of 0.95": (
        lines(always(1), always(1), n=30), rule("Threshold", metric="q", min=0.95),
        {"inconclusive"},
    ),
    "0 errors of 100 at most 1 %": (errors, RATE, {"inconclusive"}),
    "a huge loss at 30 cases": (lines(always(1), always(0), n=30), NO_WORSE, {"fail"}),
    "nobody knows which runs failed": (lines(always(1), always(1)), RATE, {"invalid"}),
}  # fmt: skip


@pytest.mark.parametrize("trap", TRAPS)
def test_a_trap_is_not_fallen_into(trap: str):
    """Each of these lets some gate pass, or block, for no reason."""
    rows, wanted, outcomes = TRAPS[trap]
    verdict = decide(rows, wanted)

    assert verdict["verdict"] in outcomes
    assert (verdict["ship"] == "candidate") == (outcomes == {"pass"})


def test_a_verdict_has_what_the_format_promises():
    (finding,) = decide(lines(NINE_OF_TEN, NINE_OF_TEN, n=400))["findings"]

    assert (finding["metric"], finding["rule"], finding["n"]) == ("q", "q >= baseline - 0.05", 400)
    assert finding["estimate"] == 0
    assert finding["ci95"][0] < 0 < finding["ci95"][1]
    assert finding["needed_cases"] is None
    assert finding["alert"] is None


# What a run that failed counts for


def test_a_failed_run_has_the_worst_score_and_no_measurement():
    """Its own cells do not matter, nor does a cell that is empty."""
    rows = [
        ("", "c1", "", "", 0, "q", 0.9, ""),
        ("", "c1", "", "", 1, "q", 0.8, 0.7),
        ("", "c1", "", "", 0, "latency_s", 2, 3),
        ("", "c1", "", "", 1, "latency_s", 2, 4),
        ("", "c1", "", "", 0, "error", 0, 1),
        ("", "c1", "", "", 1, "error", 1, 0),
    ]
    before, after = arms(mapping(rows), frozenset({"latency_s"}))

    assert sorted(before.values["q"]["c1"]) == [0.0, 0.9]
    assert sorted(after.values["q"]["c1"]) == [0.0, 0.7]
    assert before.values["latency_s"] == {"c1": [2.0]}
    assert after.values["latency_s"] == {"c1": [4.0]}


def test_a_failed_run_is_not_flattered_where_less_is_better():
    """Nothing said is not harmless, and no time is not fast."""
    rows = [
        ("", "c1", "", "", 0, "toxic", 0.2, ""),
        ("", "c1", "", "", 0, "wait_ms", 250, ""),
        ("", "c1", "", "", 0, "error", 0, 1),
    ]
    low = {"toxic", "wait_ms"}
    (trial,) = tables.group(*tables.columns_of(mapping(rows)), (), lower=low)
    before, after = trial.arms(trial.cases)

    assert before.values["toxic"] == {"c1": [0.2]}
    assert after.values["toxic"] == {"c1": [1.0]}
    assert "wait_ms" not in after.values
    assert (before.asked["toxic"], after.asked["toxic"]) == (1, 1)


def test_a_failed_run_counts_where_its_lines_are_missing():
    """A tool that writes nothing for what failed must not make the candidate look better."""
    rows = [
        ("", "c1", "", "", 0, "q", 1, 1),
        ("", "c2", "", "", 0, "error", "", 1),
        ("", "c1", "", "", 1, "error", "", 1),
    ]
    before, after = arms(mapping(rows))

    assert after.values["q"] == {"c1": [1.0, 0.0], "c2": [0.0]}
    assert before.values["q"] == {"c1": [1.0]}
    assert (before.asked["q"], after.asked["q"]) == (1, 3)


def test_lines_of_failed_runs_alone_make_all_others_answered():
    """Else the rate of errors would be taken over the failed runs, and be 1."""
    rows = [
        *lines(always(1), always(1), n=2, repeats=2),
        ("", "c1", "", "", 1, "error", "", 1),
        ("", "c2", "", "", 0, "q", "", ""),
    ]
    before, after = arms(mapping(rows))

    assert before.values["error"] == {"c0": [0.0, 0.0], "c1": [0.0, 0.0]}
    assert after.values["error"] == {"c0": [0.0, 0.0], "c1": [0.0, 1.0]}
    assert after.asked["error"] == 4


def test_one_variants_errors_tell_of_the_others():
    """A variant without a failure has no line of the scorer `error` where only failures have."""
    rows = [
        *lines(always(1), always(1), n=400, variant="sound"),
        *lines(always(1), always(1), n=400, variant="broken"),
        ("broken", "c1", "", "", 0, "error", "", 1),
    ]
    verdict = decide(rows, rule("MaxRate", metric="error_rate", max=0.02))

    assert [f["estimate"] for f in verdict["findings"]] == [0.0, 1 / 400]
    assert [each["outcome"] for each in verdict["candidates"]] == ["pass", "pass"]


def test_without_lines_of_errors_the_rate_cannot_be_judged():
    (finding,) = decide(lines(always(1), always(1)), RATE)["findings"]

    assert finding["observed"] == "nobody knows which runs failed: no line is of the scorer 'error'"
    assert finding["advice"] == (
        "Add such a line for each run that failed, with 1, or one with 0 if none did."
    )


# What an empty cell and a missing line stand for


def test_an_empty_cell_is_unscored_and_not_zero():
    rows = lines(always(1), lambda case, _: "" if case < 5 else 1)
    verdict = decide(rows, rule("Threshold", metric="q", min=0.9))

    assert verdict["candidates"][0]["metrics"]["q/mean"] == 1.0
    assert verdict["candidates"][0]["deltas"]["q"]["scored"] == [100, 95]
    assert verdict["verdict"] == "pass"


def test_many_unscored_cases_cannot_be_judged():
    verdict = decide(lines(always(1), lambda case, _: "" if case < 20 else 1))

    assert verdict["verdict"] == "invalid"
    assert verdict["findings"][0]["observed"].startswith("20 of 100 cases have no q on both sides")


def test_a_case_that_a_variant_has_no_line_for_is_missing():
    """A variant must not win by leaving out what others were asked."""
    rows = [
        *lines(NINE_OF_TEN, NINE_OF_TEN, n=400, variant="whole"),
        *lines(NINE_OF_TEN, always(1), n=300, variant="picky"),
    ]
    outcomes = {each["variant"]: each["outcome"] for each in decide(rows)["candidates"]}

    assert outcomes == {"whole": "pass", "picky": "invalid"}


def test_arms_may_have_different_numbers_of_repeats():
    rows = lines(always(0.5), lambda _, repeat: 0.5 if repeat == 0 else None, n=400, repeats=3)
    verdict = decide(rows)

    assert verdict["verdict"] == "pass"
    assert verdict["candidates"][0]["deltas"]["q"]["scored"] == [1200, 400]


def test_repeats_are_averaged_within_the_case():
    before, after = arms(mapping(lines(lambda _, k: k, always(1), n=1, repeats=3)))

    assert (before.values["q"], after.values["q"]) == ({"c0": [0, 1, 2]}, {"c0": [1, 1, 1]})


# Columns, cells and kinds of tables


def test_columns_come_in_any_order_and_some_may_be_missing(tmp_path: Path):
    path = write(tmp_path / "t.csv", "candidate,scorer,note,case_id,baseline",
                 *(f"1,q,x,c{n},1" for n in range(400)))  # fmt: skip

    assert vcmp.decide(path, policy())["ship"] == "candidate"


def test_a_file_may_come_from_a_spreadsheet(tmp_path: Path):
    """A byte order mark, carriage returns, quoted commas and line ends, blank lines, spaces."""
    path = tmp_path / "t.csv"
    rows = [f'"c,{n}\n", q ,TRUE,true' for n in range(400)]
    path.write_bytes(("\ufeffcase_id, scorer,baseline,candidate\r\n" + "\r\n".join(rows)
                      + "\r\n\r\n").encode())  # fmt: skip
    verdict = vcmp.decide(str(path), policy())

    assert verdict["verdict"] == "pass"
    assert verdict["dataset"]["n_cases"] == 400


@pytest.mark.parametrize("nothing", [math.nan, None, pd.NA, pd.NaT, "", "  ", "nan"])
def test_what_pandas_has_in_the_place_of_nothing_is_nothing(nothing: Any):
    table = pd.DataFrame(mapping([("", "c1", "", "", 0, "q", 1, nothing)])).astype(object)
    table["cluster"] = nothing

    before, after = arms(table)
    assert (before.values, after.values) == ({"q": {"c1": [1.0]}}, {})


def test_a_frame_may_have_numbers_for_names():
    """pandas reads ids and repeats as numbers, and makes 1 into 1.0 where one is missing."""
    table = pd.DataFrame(
        {
            "case_id": [1, 1, 2.0, 2],
            "repeat": [0, 1, 0, np.nan],
            "scorer": ["q", "q", "q", "p"],
            "baseline": [True, False, 1, 0.5],
            "candidate": np.array([1, 0, 1, 0.25], dtype=np.float32),
        }
    )
    before, after = arms(table)

    assert before.values == {"p": {"2": [0.5]}, "q": {"1": [1.0, 0.0], "2": [1.0]}}
    assert after.values["p"] == {"2": [0.25]}


def test_tags_are_separated_by_semicolons(tmp_path: Path):
    """A case's tags are those of all its lines."""
    rows = [
        *((*row[:3], "short; de" if n < 60 else "long", *row[4:])
          for n, row in enumerate(lines(always(1), always(1)))),
        *lines(always(1), always(1), scorer="p"),
    ]  # fmt: skip
    slices = decide(rows)["candidates"][0]["slices"]["q"]

    assert {part["tag"]: part["n"] for part in slices} == {"de": 60, "short": 60, "long": 40}


def test_a_rating_has_a_mean_of_its_own_scale():
    rows = lines(lambda case, _: 1 + case % 5, lambda case, _: 1 + (case + 1) % 5, n=100)
    verdict = decide(rows, rule("NonInferiority", metric="q", margin=1))

    assert verdict["candidates"][0]["metrics"]["q/mean"] == 3.0
    assert verdict["verdict"] == "pass"


def test_latency_is_better_when_lower():
    rows = lines(lambda case, _: 2 + case % 3, lambda case, _: 1 + case % 3, scorer="latency_s")
    wanted = rule("NonInferiority", metric="latency_s", margin=0.1)
    (verdict, reverse) = (decide(table, wanted) for table in (rows, swapped(rows)))

    assert (verdict["verdict"], reverse["verdict"]) == ("pass", "fail")


def swapped(rows: list[Line]) -> list[Line]:
    return [(*row[:6], row[7], row[6]) for row in rows]


def test_clusters_count_and_not_cases():
    """Twenty conversations of five turns are worth less than a hundred questions."""
    rows = lines(NINE_OF_TEN, lambda case, _: int((case * 7) % 10 > 0))
    clustered = [(*row[:2], str(n // 5), *row[3:]) for n, row in enumerate(rows)]
    (alone, together) = (decide(table)["candidates"][0]["deltas"]["q"] for table in
                         (rows, clustered))  # fmt: skip

    assert (alone["n_clusters"], together["n_clusters"]) == (100, 20)


def test_each_variant_is_judged_and_the_best_may_ship():
    rows = [
        *lines(always(0.5), always(0.9), n=50, variant="better"),
        *lines(always(0.5), always(0.1), n=50, variant="worse"),
    ]
    verdict = decide(rows, select="best_passing")

    assert (verdict["verdict"], verdict["ship"]) == ("pass", "better")
    assert [(f["variant"], f["outcome"]) for f in verdict["findings"]] == [
        ("better", "pass"),
        ("worse", "fail"),
    ]


def test_planned_looks_stop_as_soon_as_the_cases_decide():
    verdict = decide(lines(always(0.5), always(0.9), n=200), looks=4)

    assert verdict["candidates"][0]["look"] == 1
    assert verdict["candidates"][0]["n_cases_used"] == 50


cells = st.none() | st.sampled_from([0, 1, 0.5, "true"])
tables_of_lines = st.lists(
    st.tuples(
        st.sampled_from(["a", "b"]), st.sampled_from(["c1", "c2", "c3", "c4", "c5"]),
        st.sampled_from(["", "t;u"]), st.integers(0, 2), st.sampled_from(["q", "p", "latency_s"]),
        cells, cells,
    ),
    min_size=1, max_size=40, unique_by=lambda row: (row[0], row[1], row[3], row[4]),
)  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(tables_of_lines, st.randoms(use_true_random=False))
def test_the_order_of_lines_does_not_matter(rows: list[Any], order: random.Random):
    """Not in one byte of verdict.json."""
    full = [(v, c, c[1] if c < "c4" else "", t, k, s, b, a) for v, c, t, k, s, b, a in rows]
    full += [("b", "c1", "1", "", 7, "error", 1, 0)]
    other = order.sample(full, len(full))
    wanted = load_policy(policy(NO_WORSE, rule("NoRegression"), RATE, looks=2))
    texts = [
        reports.verdict_json(decisions.conclude(mapping(table), wanted)) for table in (full, other)
    ]

    assert texts[0] == texts[1]
    assert json.loads(texts[0])["verdict"] in ("inconclusive", "invalid", "fail")


# What cannot be used, and what is said


def unusable(scores: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        vcmp.decide(scores, policy())
    return str(caught.value)


GOOD = "c1,q,1,1"
FILES: dict[str, tuple[list[str], str]] = {
    "no head": ([""], "t.csv: is empty. Give a head, and a line for each case and scorer."),
    "no lines": (
        ["case_id,scorer,baseline,candidate"],
        "t.csv: has no line. Give one for each case, repeat and scorer.",
    ),
    "a missing column": (
        ["case,scorer,baseline,candidate", GOOD],
        "t.csv: has no column 'case_id'. Did you mean 'case'?\n"
        "  It needs case_id, scorer, baseline, candidate; variant, cluster, tag, repeat are"
        " optional.",
    ),
    "a misspelt column": (
        ["case_id,scorer,baseline,candidate,Clusters", f"{GOOD},x"],
        "t.csv: has a column 'Clusters', which nothing reads. Did you mean 'cluster'?",
    ),
    "a column twice": (
        ["case_id,scorer,baseline,candidate,scorer", f"{GOOD},q"],
        "t.csv: has column 'scorer' twice. Rename or remove one.",
    ),
    "semicolons": (
        ["case_id;scorer;baseline;candidate", "c1;q;1;1"],
        "t.csv: its cells are not separated by commas. Save it with commas.",
    ),
    "a short line": (
        ["case_id,scorer,baseline,candidate", GOOD, "c2,q,1"],
        "t.csv, line 3: has 3 cells, the head has 4. Mend it.",
    ),
    "an open quote": (
        ["case_id,scorer,baseline,candidate", '"c1,q,1,1'],
        "t.csv: cannot be read (unexpected end of data). Give a CSV file.",
    ),
    "no number": (
        ["case_id,scorer,baseline,candidate", GOOD, "c2,q,1,good"],
        "t.csv, line 3: candidate 'good' is no number. Leave the cell empty where there is no"
        " value.",
    ),
    "no end": (
        ["case_id,scorer,baseline,candidate", "c2,q,inf,1"],
        "t.csv, line 2: baseline 'inf' is no number. Leave the cell empty where there is no value.",
    ),
    "no case": (
        ["case_id,scorer,baseline,candidate", " ,q,1,1"],
        "t.csv, line 2: has no case_id. Give it one.",
    ),
    "no scorer": (
        ["case_id,scorer,baseline,candidate", GOOD, "c1,,1,1"],
        "t.csv, line 3: has no scorer. Give it one.",
    ),
    "a line twice": (
        ["case_id,scorer,baseline,candidate", GOOD, GOOD],
        "t.csv, line 3: q of case 'c1', repeat 0 is there twice. Number the repeats.",
    ),
    "half an error": (
        ["case_id,scorer,baseline,candidate", GOOD, "c1,error,0,0.5"],
        "t.csv, line 3: error is 1 for a run that failed and 0 for any other.",
    ),
    "the rate of errors": (
        ["case_id,scorer,baseline,candidate", "c1,error_rate,0,0"],
        "t.csv, line 2: scorer 'error_rate' is what rules call the mean of 'error'. Name it"
        " 'error', 0 or 1 for each run.",
    ),
    "a variant called baseline": (
        ["case_id,scorer,baseline,candidate,variant", f"{GOOD},baseline"],
        "t.csv, line 2: variant 'baseline' is the name of what variants are compared with."
        " Rename it.",
    ),
    "two clusters": (
        ["case_id,scorer,baseline,candidate,cluster", f"{GOOD},x", "c1,p,1,1,y"],
        "t.csv, line 3: case 'c1' is in cluster 'y', and in cluster 'x' above. Give it one.",
    ),
    "a cluster and none": (
        ["case_id,scorer,baseline,candidate,cluster", f"{GOOD},x", "c1,p,1,1,"],
        "t.csv, line 3: case 'c1' is in none, and in cluster 'x' above. Give it one.",
    ),
}


@pytest.mark.parametrize("what", FILES)
def test_a_file_that_cannot_be_used_says_where_and_why(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    text, message = FILES[what]
    path = tmp_path / "t.csv"
    path.write_text("\n".join(text), encoding="utf-8")

    assert unusable("t.csv") == message


def test_a_file_that_is_not_there_is_named(tmp_path: Path):
    assert unusable(tmp_path / "none.csv") == (
        f"{tmp_path}/none.csv: cannot be read (No such file or directory). Give a CSV file."
    )


def test_a_file_that_is_no_text_is_refused(tmp_path: Path):
    (tmp_path / "t.xlsx").write_bytes(b"PK\x03\x04rest")
    (tmp_path / "t.csv").write_bytes("case_id,scorer,baseline,candidate\nä".encode("utf-16"))

    assert unusable(tmp_path / "t.xlsx") == (
        f"{tmp_path}/t.xlsx: is no text. Save the table as CSV."
    )
    assert unusable(tmp_path / "t.csv").startswith(
        f"{tmp_path}/t.csv: cannot be read ('utf-8' codec can't decode byte"
    )


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (5, "scores: a int is no table. Give a path, a pandas DataFrame or a mapping."),
        ({"case_id": "c1"}, "scores: column 'case_id' is no list. Give one value for each line."),
        (
            {"case_id": [1], "scorer": ["q"], "baseline": [1], "candidate": [1, 1]},
            "scores: its columns are not of one length. Mend it.",
        ),
        (
            {"case_id": [1], "scorer": ["q"], "baseline": [[1]], "candidate": [1]},
            "scores, line 2: baseline [1] is no number. Leave the cell empty where there is no"
            " value.",
        ),
    ],
    ids=["a number", "a text", "unequal columns", "a list in a cell"],
)
def test_what_is_no_table_is_refused(scores: Any, message: str):
    assert unusable(scores) == message


def test_a_frame_without_lines_is_refused():
    frame = pd.DataFrame({name: [] for name in tables.COLUMNS})

    assert unusable(frame) == "scores: has no line. Give one for each case, repeat and scorer."


# The policy


def test_a_policy_may_be_an_object_or_have_objects_for_rules():
    rows = mapping(lines(NINE_OF_TEN, NINE_OF_TEN, n=400))
    gate = NonInferiority("q")
    verdicts = [
        vcmp.decide(rows, each)["verdict"]
        for each in (Policy(name="mine", rules=(gate,)), {"rules": [NO_WORSE, gate]})
    ]

    assert verdicts == ["pass", "pass"]


def test_a_policy_file_takes_over_what_its_defaults_name(tmp_path: Path):
    """As in conf/gate: the file's own keys win, and rules are replaced as a whole."""
    write(tmp_path / "release.yaml", "rules: [{_target_: vcmp.gates.NoFailures}]",
          "alpha: 0.01", "looks: 2")  # fmt: skip
    write(tmp_path / "strict.yaml", "defaults: [release]", "alpha: 0.02", "primary: q")
    write(tmp_path / "loose.yaml", "defaults: [_self_, release]", "alpha: 0.2")

    strict, loose = (load_policy(tmp_path / f"{name}.yaml") for name in ("strict", "loose"))
    assert (strict.name, strict.alpha, strict.looks, strict.primary) == ("strict", 0.02, 2, ("q",))
    assert len(strict.rules) == 1
    assert loose.alpha == 0.01


POLICIES: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown key": ({"rule": []}, "a policy has no key 'rule'. Did you mean 'rules'?"),
    "no rules": ({"alpha": 0.1}, "has no rules. List them under `rules:`, or decide nothing by"
                                 " rules: []"),
    "rules that are no list": (
        {"rules": NO_WORSE}, "rules is no list. Begin each rule with a dash, or with [",
    ),
    "alpha out of range": (
        policy(alpha=0.5), "alpha 0.5 is not between 0 and 0.5. Try 0.05.",
    ),
    "alpha that is no number": (
        policy(alpha="low"), "alpha: 'low' is not a number. Correct the value.",
    ),
    "a key of a wrong choice": (
        policy(select="best"), "select 'best' is unknown. Choose every or best_passing.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", POLICIES)
def test_a_policy_that_cannot_be_used_says_why(what: str):
    given_policy, message = POLICIES[what]
    with pytest.raises(ConfigError) as caught:
        vcmp.decide(mapping(same), given_policy)

    assert str(caught.value) == f"gate=policy: {message}"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            rule("NonInferiorty", metric="q"),
            "'vcmp.gates' has no 'NonInferiorty'. Did you mean 'NonInferiority'?",
        ),
        (
            rule("NonInferiority", metrc="q"),
            "vcmp.gates.NonInferiority has no parameter 'metrc'. Did you mean 'metric'?\n"
            "  It takes metric, margin, direction.",
        ),
        (
            {"metric": "q"},
            "{'metric': 'q'} is no rule.\n"
            "  Write {_target_: vcmp.gates.NonInferiority, metric: …}, or another rule.",
        ),
        (
            "NonInferiority",
            "'NonInferiority' is no rule.\n"
            "  Write {_target_: vcmp.gates.NonInferiority, metric: …}, or another rule.",
        ),
    ],
    ids=["misspelt", "a misspelt parameter", "without a target", "a text"],
)
def test_a_rule_that_cannot_be_built_is_counted(wrong: Any, message: str):
    with pytest.raises(ConfigError) as caught:
        vcmp.decide(mapping(same), policy(NO_WORSE, wrong))

    assert str(caught.value) == f"gate=policy, rule 2: {message}"


def test_a_policy_of_another_kind_is_refused():
    with pytest.raises(ConfigError) as caught:
        vcmp.decide(mapping(same), 5)

    assert str(caught.value) == "policy: a int is none. Give a mapping, or a file's path."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is no mapping. Begin with `rules:`"),
        ("- a", "is no mapping. Begin with `rules:`"),
        (
            "defaults: [second]",
            "its defaults lead back to it (first -> second -> first). Take one of them out.",
        ),
        (
            "defaults: [secnd]",
            "defaults name 'secnd', and there is no such file beside it. Did you mean 'second'?",
        ),
        (
            "defaults: [../second]",
            "'../second' names a file that is not looked through. Name one of conf/.",
        ),
        (
            "defaults: second",
            "defaults 'second' is no list of files beside it. Write defaults: [release]",
        ),
        ("rules: [", None),
    ],
    ids=["empty", "a list", "a circle", "no such file", "outside", "no list", "not YAML"],
)
def test_a_policy_file_that_cannot_be_read_says_why(text: str, message: str | None, tmp_path: Path):
    write(tmp_path / "second.yaml", "defaults: [first]")
    path = write(tmp_path / "first.yaml", text)
    with pytest.raises(ConfigError) as caught:
        load_policy(path)

    wanted = f"{path}: {message}" if message else f"{path}:2:1: not YAML ("
    assert str(caught.value) == wanted if message else str(caught.value).startswith(wanted)


def test_a_policy_file_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(ConfigError) as caught:
        load_policy(tmp_path / "none.yaml")

    assert str(caught.value) == (
        f"{tmp_path}/none.yaml: there is no such file. Give a policy like conf/gate/*.yaml"
    )


# Speed


def seconds(call: Callable[[], Any]) -> Iterator[float]:
    while True:
        start = time.process_time()
        call()
        yield time.process_time() - start


@pytest.mark.parametrize(
    ("metrics", "repeats", "times", "limit_s"), [(1, 1, 15, 0.02), (10, 6, 1, 1.5)]
)
def test_a_thousand_cases_are_decided_at_once(
    metrics: int, repeats: int, times: int, limit_s: float, tmp_path: Path
):
    """A gate is asked thousands of times where its error rates are measured."""
    draw = random.Random(1)
    score = lambda case, repeat: int(draw.random() < 0.8)  # noqa: E731
    names = ["q", *(f"m{n}" for n in range(metrics - 1))]
    rows = [row for m in names for row in lines(score, score, n=1000, repeats=repeats, scorer=m)]
    text = (",".join(map(str, row)) for row in rows)
    path = write(tmp_path / "t.csv", HEAD, *text)
    timed = seconds(lambda: vcmp.decide(path, policy()))

    assert min(next(timed) for _ in range(times)) < limit_s
