"""Result files: what is written is read back, and damage is said."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vcmp import results
from vcmp.calls import Call
from vcmp.errors import ResultsError
from vcmp.results import SweepRecord
from vcmp.types import (
    Answerer,
    Case,
    Dataset,
    Evaluation,
    Result,
    Revision,
    Score,
    ScorerCard,
    Usage,
    Variant,
    Version,
)

texts = st.text(st.characters(exclude_categories=[]), max_size=20)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-1, 1) | texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)


def evaluation(output: Any = "Hi", error: str = "", score: float | None = 1.0) -> Evaluation:
    case = Case(id="c1", inputs={"q": output}, expectations={"facts": ["a"]}, tags=("t",))
    call = Call(api="chat.completions", request={"messages": [output]}, response=output)
    result = Result(
        case_id="c1",
        output=output,
        error=error,
        usage=Usage(input_tokens=3),
        scores={"polite": Score(value=score, rationale=error)},
        calls=(call,),
        trace=({"name": "root", "inputs": output},),
    )
    return Evaluation(
        version=Version(
            name="app-basic-git-12345678",
            app="app",
            variant=Variant(name="basic", params={"prompt": output}),
            revision=Revision(commit="1" * 40, branch="main"),
        ),
        dataset=Dataset(name="cases", cases=(case,)),
        scorers={"polite": ScorerCard(digest="ab")},
        answerer=Answerer(name="scripted", scripted=True),
        results=(result,),
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(json_values, texts, st.none() | st.floats(0, 1))
def test_what_is_saved_is_loaded(tmp_path: Path, output: Any, error: str, score: float | None):
    """Also lone surrogates, NUL and line separators, which a model may well write."""
    saved = evaluation(output, error, score)

    results.save(saved, tmp_path)

    assert results.load(tmp_path) == saved


def test_appended_rows_are_there_before_the_evaluation_ends(tmp_path: Path):
    saved = evaluation()

    results.append(saved.results[0], tmp_path)
    results.append(saved.results[0], tmp_path)

    assert len((tmp_path / "results.jsonl").read_text("utf-8").splitlines()) == 2


def test_a_sweep_is_loaded_in_the_order_of_its_jobs_without_its_baseline(tmp_path: Path):
    for name in ("10", "2", "baseline"):
        results.save(evaluation(output=name), tmp_path / name)

    record = SweepRecord(jobs=("2", "10"))
    assert [e.results[0].output for e in results.load_sweep(tmp_path, record)] == ["2", "10"]
    baseline = results.load_baseline(tmp_path)
    assert baseline
    assert baseline.results[0].output == "baseline"


def test_runs_of_a_version_are_pooled_when_they_are_loaded(tmp_path: Path):
    """Own results keep their repeats, the earlier ones are counted on, case by case."""
    cases = tuple(Case(id=id, inputs={}) for id in ("b", "a"))

    def run(name: str, repeats: int) -> Evaluation:
        rows = tuple(
            Result(case_id=case.id, repeat=repeat, output=f"{name}{repeat}")
            for case in cases
            for repeat in range(repeats)
        )
        made = replace(evaluation(), results=rows, repeats=repeats)
        return replace(made, dataset=Dataset(name="cases", cases=cases))

    own = run("own", 2)
    results.save(own, tmp_path / "0")
    earlier = [run(f"earlier{n}-", 1) for n in range(11)]
    results.save_earlier(earlier, tmp_path / "0")

    (pooled,) = results.load_sweep(tmp_path, SweepRecord(jobs=("0",)))

    assert results.load(tmp_path / "0") == own
    assert results.load_earlier(tmp_path / "0") == tuple(earlier)
    assert (pooled.repeats, pooled.complete) == (13, True)
    assert [row.case_id for row in pooled.results] == ["b"] * 13 + ["a"] * 13
    assert [row.repeat for row in pooled.results] == [*range(13)] * 2
    outputs = ["own0", "own1", *(f"earlier{n}-0" for n in range(11))]
    assert [row.output for row in pooled.results] == outputs * 2


def test_a_run_that_a_look_ended_is_pooled_up_to_it(tmp_path: Path):
    """A case that it never asked is no case that it lacks."""
    cases = tuple(Case(id=id, inputs={}) for id in "abc")

    def run(asked: str, whole: bool = False) -> Evaluation:
        made = replace(evaluation(), results=tuple(Result(case_id=id) for id in asked))
        dataset = Dataset(name="cases", cases=cases)
        return replace(made, dataset=dataset, asked=None if whole else dict.fromkeys(asked, 1))

    own = run("ab")
    results.save(own, tmp_path / "0")
    results.save_earlier([run("b")], tmp_path / "0")
    results.save(run("abc", whole=True), tmp_path / "1")
    results.save_earlier([run("b"), run("a")], tmp_path / "1")

    early, whole = results.load_sweep(tmp_path, SweepRecord(jobs=("0", "1")))

    assert results.load(tmp_path / "0") == own
    assert (early.asked, early.earlier) == ({"a": 1, "b": 2}, {"b"})
    assert ([case.id for case in early.cases], early.n_asked) == (["a", "b"], 3)
    assert (whole.asked, whole.earlier) == ({"a": 2, "b": 2, "c": 1}, {"a", "b"})
    assert early.complete
    assert whole.complete
    assert not replace(whole, results=whole.results[1:]).complete


def test_anchors_are_loaded_from_where_they_lie(tmp_path: Path):
    """One of the sweep's own versions is not saved twice."""
    for name in ("0", "1", "anchors/0"):
        results.save(evaluation(output=name), tmp_path / name)
    record = SweepRecord(jobs=("0", "1"), anchors=("x", "y"), anchor_folders=("anchors/0", "1"))
    results.save_record(record, tmp_path)
    own = (evaluation(output="given 0"), evaluation(output="given 1"))

    loaded, given = results.load_anchors(tmp_path), results.load_anchors(tmp_path, own)

    assert [e.results[0].output for e in loaded] == ["anchors/0", "1"]
    assert [e.results[0].output for e in given] == ["anchors/0", "given 1"]


def test_the_record_of_a_sweep_is_loaded(tmp_path: Path):
    record = SweepRecord(baseline="basic", gate="release", policy={"rules": []}, notes=("a", "b"))

    results.save_record(record, tmp_path)

    assert results.load_record(tmp_path) == record


def test_missing_and_damaged_files_are_said(tmp_path: Path):
    with pytest.raises(ResultsError) as missing:
        results.load_record(tmp_path)
    assert str(missing.value) == f"{tmp_path}: is no folder of a sweep. Give one: outputs/<sweep>"

    with pytest.raises(ResultsError) as partial:
        results.load_sweep(tmp_path, SweepRecord(jobs=("0", "1")))
    assert str(partial.value) == (
        f"{tmp_path}: 0/evaluation.json is missing; the evaluation did not end.\n"
        f"  Go on with it: vcmp resume {tmp_path}"
    )

    folder = tmp_path / "0"
    results.save(evaluation(), folder)
    rows = folder / "results.jsonl"
    rows.write_text(rows.read_text("utf-8")[:-20], "utf-8")
    with pytest.raises(ResultsError, match=r"results\.jsonl: cannot be read \(.*\)\. Evaluate ag"):
        results.load(folder)


def test_another_layout_is_refused(tmp_path: Path):
    results.save(evaluation(), tmp_path)
    path = tmp_path / "evaluation.json"
    path.write_text(path.read_text("utf-8").replace('"schema": 1', '"schema": 99'), "utf-8")

    with pytest.raises(ResultsError) as refused:
        results.load(tmp_path)

    assert str(refused.value) == (
        f"{path}: written with layout 99, this vcmp reads 1."
        " Evaluate again, or use the vcmp that wrote it."
    )


def test_the_value_of_a_key_is_never_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MY_API_KEY", "canary-0123456789")
    saved = evaluation(output="the key is canary-0123456789", error="canary-0123456789")

    results.append(saved.results[0], tmp_path)
    results.save(saved, tmp_path)

    for path in tmp_path.iterdir():
        assert "canary" not in path.read_text("utf-8")
    assert results.load(tmp_path).results[0].output == "the key is ${MY_API_KEY}"
