"""scores.csv: the numbers of a sweep, which `vcmp gate` and spreadsheets read."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import SCRIPTED, evaluation
from vcmp import conclusions, decisions
from vcmp.comparison import compare
from vcmp.policies import load_policy
from vcmp.tables import read, scores_csv
from vcmp.tables.cells import texts
from vcmp.types import Case, Conclusion, Preference, ScorerCard

RULES = {
    "rules": [
        {"_target_": "vcmp.gates.NonInferiority", "metric": "polite", "margin": 0.05},
        {"_target_": "vcmp.gates.MaxRate", "metric": "error_rate", "max": 0.2},
    ]
}
FORMULAS = ["=HYPERLINK(0)", "+1", "-1", "@SUM(1)", "\tx", "\r=x", "\n=x", "＝1", "'=1", "''", "'"]


def rows(text):
    return list(csv.DictReader(io.StringIO(text, newline="")))


def alone(*sides):
    return Conclusion(evaluations=sides)


def test_a_line_for_each_case_repeat_and_scorer():
    cases = [Case(id="a", inputs={}, cluster="c", tags=("x", "y;z"))]
    before = evaluation({"a": [1.0, 0.5]}, cases=cases, answerer=SCRIPTED)
    after = evaluation({"a": ["TimeoutError", 0.25]}, cases=cases, answerer=SCRIPTED, variant="new")
    told = conclusions.conclude(before, [after], load_policy(RULES))

    assert scores_csv(told).startswith(
        "variant,case_id,cluster,tag,repeat,scorer,baseline,candidate\r\n"
        'new,a,c,"x;y,z",0,polite,1,\r\n'
    )
    assert [tuple(row.values())[4:] for row in rows(scores_csv(told))] == [
        ("0", "polite", "1", ""),
        ("0", "input_tokens", "40", ""),
        ("0", "output_tokens", "20", ""),
        ("0", "output_chars", "11", ""),
        ("0", "error", "0", "1"),
        ("1", "polite", "0.5", "0.25"),
        ("1", "input_tokens", "40", "40"),
        ("1", "output_tokens", "20", "20"),
        ("1", "output_chars", "11", "11"),
        ("1", "error", "0", "0"),
    ]


@pytest.mark.parametrize("odd", [1.0, 0.0, None, "TimeoutError"])
def test_the_gate_says_the_same_of_the_table_as_of_the_sweep(tmp_path, odd):
    """Failed and unscored runs count there as they did here."""
    before = {f"c{n}": [1.0, n % 3 / 3] for n in range(40)}
    after = {**before, **{f"c{n}": [odd, odd] for n in range(0, 40, 5)}}
    sides = evaluation(before), evaluation(after, variant="new")
    told = conclusions.conclude(sides[0], [sides[1]], load_policy(RULES))
    path = tmp_path / "scores.csv"
    path.write_text(scores_csv(told), encoding="utf-8", newline="")

    again = decisions.conclude(path, load_policy(RULES))

    assert again.outcome == told.outcome
    assert again.verdicts[0].findings == told.verdicts[0].findings


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_is_a_formula_and_every_name_is_read_as_it_was(tmp_path, text):
    """OWASP, "CSV injection": a spreadsheet runs what begins with = + - @, tab or return."""
    cases = [Case(id=text + n, inputs={}, cluster=text + "c", tags=(text + "t",)) for n in "12"]
    sides = [
        evaluation({case.id: 1.0 for case in cases}, cases=cases, metric=text + "m", variant=v)
        for v in (text + "v", text + "w")
    ]
    told = conclusions.conclude(sides[0], sides[1:], load_policy({"rules": []}))
    path = tmp_path / "scores.csv"
    path.write_text(scores_csv(told), encoding="utf-8", newline="")

    names = {name for row in rows(scores_csv(told)) for name in list(row.values())[:6]}
    assert [name for name in names if name[:1] in tuple("=+-@\t\r\n＝＋－＠")] == []
    compared = decisions.conclude(path, load_policy({"rules": []})).comparisons[0]
    assert compared.candidate.version.variant.name == text + "w"
    assert set(compared.pairs) >= {text + "m"}
    assert compared.pairs[text + "m"].case_ids == (text + "1", text + "2")
    assert set(compared.pairs[text + "m"].clusters) == {text + "c"}
    assert compared.pairs[text + "m"].tags == ((f"{text}t".strip(),),) * 2


@given(st.text(min_size=1).filter(lambda text: text == text.strip()))
def test_any_name_survives(text):
    told = alone(evaluation({text: 1.0}))

    cell = rows(scores_csv(told))[0]["case_id"]
    assert cell in (text, f"'{text}")
    assert texts([cell]) == [text]


def test_half_characters_are_spelt_out(tmp_path):
    path = tmp_path / "scores.csv"
    path.write_text(scores_csv(alone(evaluation({"a\ud800\x00": 1.0}))), encoding="utf-8")

    assert read([path]).columns["case_id"][0] == "a\\ud800\x00"


def test_a_version_alone_has_no_baseline():
    lines = rows(scores_csv(alone(evaluation({"a": 1.0}), evaluation({"a": 0.0}, variant="new"))))

    assert {line["baseline"] for line in lines} == {""}
    assert {line["variant"] for line in lines} == {"basic", "new"}


def test_what_pairwise_judges_thought_is_a_metric():
    """A preference belongs to two outputs, so no result has it."""
    sides = evaluation({"a": 1.0}), evaluation({"a": 1.0}, variant="new")
    given_by = [Preference(metric="better", case_id="a", value=1.0)]
    judges = {"better": ScorerCard(digest="d", judge=True)}
    told = Conclusion(evaluations=sides, comparisons=(compare(*sides, given_by, judges),))

    found = [row for row in rows(scores_csv(told)) if row["scorer"] == "better"]
    assert [(row["baseline"], row["candidate"]) for row in found] == [("0.5", "1")]
