"""Which recorded evaluations a sweep is judged with."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.builders import OPENAI, SCRIPTED, evaluation, version
from vcmp import baselines, prospects, results
from vcmp.baselines import Gathered, Wanted
from vcmp.errors import ComparisonError, ConfigError
from vcmp.prospects.recordings import Known
from vcmp.tracking import MlflowTracker
from vcmp.types import Evaluation, Plan

FULL = evaluation({"a": 0.5, "b": 0.5})
SMOKE = evaluation({"a": 1.0})
Record = Callable[..., None]


def plan(like: Evaluation, variant: str = "empathetic") -> Plan:
    return Plan(
        version=replace(like.version, **named(variant)),
        agent=str,
        dataset=like.dataset,
        scorers={},
        cards=like.scorers,
        answerer=like.answerer,
    )


def named(variant: str, commit: str = "b" * 40) -> dict[str, object]:
    made = version(variant, commit=commit)
    return {"name": made.name, "variant": made.variant, "revision": made.revision}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> MlflowTracker:
    """An empty store; each test takes an experiment of its own."""
    tracker = MlflowTracker(experiment="baselines", project=tmp_path_factory.mktemp("project"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", "")
        patch.setenv("_MLFLOW_SERVER_ARTIFACT_ROOT", "")
        tracker.prepare()
    return tracker


@pytest.fixture
def tracker(store: MlflowTracker, request: pytest.FixtureRequest) -> MlflowTracker:
    return replace(store, experiment=request.node.originalname)


@pytest.fixture
def record(tracker: MlflowTracker, tmp_path: Path) -> Record:
    """`record(evaluation, **tags)` records it as the newest."""
    n_recorded = 0

    def record(made: Evaluation, **tags: str) -> None:
        nonlocal n_recorded
        n_recorded += 1
        later = (replace(r, started_s=r.started_s + 10 * n_recorded) for r in made.results)
        made = replace(made, results=tuple(later))
        folder = tmp_path / f"recorded-{n_recorded}"
        results.save(made, folder)
        named = {f"vcmp.{key}": value for key, value in tags.items()}
        tracker.attach(tracker.record(made, folder), [], named)

    return record


def outputs(evaluations: tuple[Evaluation, ...]) -> list[object]:
    """What tells the runs of these tests apart."""
    return [evaluation.results[0].output for evaluation in evaluations]


def run(variant: str, output: str, **more: object) -> Evaluation:
    made = evaluation({"a": 0.5, "b": 0.5}, outputs={"a": output}, variant=variant)
    return replace(made, **more)


def test_the_newest_comparable_recording_is_taken(tracker: MlflowTracker, record: Record):
    """A smoke run or the demo, made since, does not stand in the way."""
    likes = [FULL, SMOKE, replace(FULL, answerer=SCRIPTED)]
    for made in likes:
        record(made)

    for like in likes:
        gathered = baselines.gather(Wanted(baseline="basic", plans=(plan(like),)), tracker)

        (found,) = gathered.baseline.evaluations
        assert (found.dataset.digest, found.answerer) == (like.dataset.digest, like.answerer)
        assert gathered.notes == ()

    other = plan(evaluation({"c": 1.0}))
    assert baselines.gather(Wanted(baseline="basic", plans=(other,)), tracker).notes == (
        "baseline 'basic' was recorded only with other cases, scorers or answers, "
        "so nothing is compared",
    )
    assert baselines.gather(Wanted(baseline="warm", plans=(other,)), tracker).notes == (
        "baseline 'warm' has not been recorded yet, so nothing is compared",
    )


def test_a_named_version_that_the_demo_answered_is_refused(tracker: MlflowTracker, record: Record):
    """Its scores are no model's."""
    made = replace(evaluation({"d": 1.0}, variant="demo"), answerer=SCRIPTED)
    record(made)
    wanted = Wanted(
        baseline="version:app-demo-git-a41e0d70", plans=(plan(replace(made, answerer=OPENAI)),)
    )

    with pytest.raises(ComparisonError) as caught:
        baselines.gather(wanted, tracker)

    assert str(caught.value) == (
        "not comparable: app-demo-git-a41e0d70 was answered by 'scripted', this sweep is by "
        "'openai', and one of them is a demo that calls no language model.\n"
        "  Evaluate both versions with the same provider=…"
    )


def test_earlier_runs_of_the_same_version_are_pooled(tracker: MlflowTracker, record: Record):
    """The same code, configuration, cases, scorers and answerer; anything else is another run."""
    mine = run("basic", "first")
    other_scorers = {"polite": replace(mine.scorers["polite"], digest="stricter")}
    more_scorers = {**mine.scorers, "kind": mine.scorers["polite"]}
    record(mine)
    record(replace(run("basic", "another scorer"), scorers=other_scorers))
    record(replace(run("basic", "one more scorer"), scorers=more_scorers))
    record(replace(run("basic", "another server"), answerer=replace(OPENAI, description="other")))
    record(replace(run("basic", "another commit"), version=version("basic", commit="c" * 40)))
    hotter = version("basic", params={"temperature": 0.9})
    record(replace(run("basic", "another parameter"), version=hotter))
    record(replace(evaluation({"a": 0.5}), repeats=1))
    record(run("basic", "second"))
    again = replace(plan(mine, "basic"), version=mine.version, repeats=2)

    gathered = baselines.gather(Wanted(plans=(again,)), tracker)

    (pool,) = gathered.earlier
    assert outputs(pool.evaluations) == ["second", "first"]
    assert gathered.notes == (
        "basic: pooled with 2 earlier runs of the same version (4 repeats in all); "
        "pool=false judges this run alone",
    )
    assert baselines.gather(Wanted(plans=(again,), pool=False), tracker).notes == ()
    assert baselines.gather(Wanted(plans=(again,)), None).earlier[0].evaluations == ()


def test_nothing_is_pooled_outside_of_git(tracker: MlflowTracker, record: Record):
    """Nobody knows whether the code is the same."""
    made = replace(FULL, version=version("basic", commit=""))
    record(made)

    gathered = baselines.gather(Wanted(plans=(replace(plan(made), version=made.version),)), tracker)

    assert (gathered.earlier[0].evaluations, gathered.notes) == ((), ())


def test_a_run_in_which_much_failed_is_left_out(tracker: MlflowTracker, record: Record):
    """An outage is nothing that a version should carry on for ever; a rare failure is its own."""
    made = run("basic", "fine")
    record(replace(made, results=(replace(made.results[0], error="down"), made.results[1])))
    record(made)
    again = replace(plan(made), version=made.version)

    strict = baselines.gather(Wanted(plans=(again,)), tracker)
    lenient = baselines.gather(Wanted(plans=(again,), failed_limit=0.5), tracker)

    assert outputs(strict.earlier[0].evaluations) == ["fine"]
    assert strict.notes[0] == (
        "basic: 1 earlier run left out: more than 10 % of the results failed"
    )
    assert len(lenient.earlier[0].evaluations) == 2


def test_what_won_a_selection_is_pooled_only_where_as_many_are_selected_from(
    tracker: MlflowTracker, record: Record
):
    """The best of five has had luck; where five are judged again that is corrected for."""
    record(run("basic", "fair"))
    record(run("basic", "best of 2"), best_of="2")
    mine = replace(plan(FULL), version=FULL.version)
    others = tuple(plan(FULL, variant) for variant in ("one", "two"))

    alone = baselines.gather(Wanted(plans=(mine,)), tracker)
    candidate = baselines.gather(Wanted(plans=(mine, *others), baseline="one"), tracker)
    baseline = baselines.gather(Wanted(plans=(mine, *others), baseline="basic"), tracker)

    assert outputs(candidate.earlier[0].evaluations) == ["best of 2", "fair"]
    assert outputs(alone.earlier[0].evaluations) == ["fair"]
    assert outputs(baseline.earlier[0].evaluations) == ["fair"]
    assert baseline.notes == (
        "basic: 1 earlier run left out: the best of 2 then, so its scores are biased upward",
        "basic: pooled with 1 earlier run of the same version (2 repeats in all); "
        "pool=false judges this run alone",
    )


def test_a_baseline_that_a_look_ended_says_so(tracker: MlflowTracker, record: Record):
    """Until a run of the same version has asked the rest."""
    half = run("basic", "half")
    record(replace(half, results=half.results[:1], asked={"a": 1}))
    wanted = Wanted(baseline="basic", plans=(plan(FULL),))

    ended = baselines.gather(wanted, tracker)
    planned = prospects.recall(wanted.plans, "basic", tracker)
    record(run("basic", "whole"))
    whole = baselines.gather(wanted, tracker)

    assert outputs(ended.baseline.evaluations) == ["half"]
    assert ended.notes == (
        "baseline basic was evaluated on 1 of 2 cases: a planned look ended it; "
        "differences are over the cases that both have",
    )
    assert planned == Known(note="a planned look ended the recorded run of basic")
    assert outputs(whole.baseline.evaluations) == ["whole", "half"]
    assert whole.notes == (
        "baseline basic: 2 recorded runs of the version are pooled (2 repeats in all); "
        "pool=false takes the newest alone",
    )


def test_a_recorded_baseline_is_pooled_and_its_luck_is_told(tracker: MlflowTracker, record: Record):
    """A fair recording is better than one that was chosen for its numbers."""
    record(run("basic", "winner"), best_of="5")
    wanted = Wanted(baseline="basic", plans=(plan(FULL),))

    biased = baselines.gather(wanted, tracker)
    record(run("basic", "fair"))
    record(run("basic", "fairer"))
    fair = baselines.gather(wanted, tracker)
    newest = baselines.gather(replace(wanted, pool=False), tracker)

    assert outputs(biased.baseline.evaluations) == ["winner"]
    assert biased.notes == (
        "baseline app-basic-git-a41e0d70 was the best of 5 when it was recorded, so its scores are "
        "biased upward; evaluate it afresh (add it to agent=…) for a fair comparison",
    )
    assert outputs(fair.baseline.evaluations) == ["fairer", "fair"]
    assert fair.notes == (
        "baseline basic: 1 earlier run left out: the best of 5 then, so its scores are biased "
        "upward",
        "baseline basic: 2 recorded runs of the version are pooled (2 repeats in all); "
        "pool=false takes the newest alone",
    )
    assert (outputs(newest.baseline.evaluations), newest.notes) == (["fairer"], ())


def test_a_version_is_not_compared_with_its_own_earlier_run(tracker: MlflowTracker, record: Record):
    """A second run asks the question of the first one, with more evidence."""
    record(run("basic", "other"), verdict="pass")
    mine = plan(FULL, "basic")
    own = replace(run("basic", "own"), version=mine.version)
    record(own, verdict="pass")

    for name in ("latest", "previous", "basic"):
        gathered = baselines.gather(Wanted(baseline=name, plans=(mine,)), tracker)
        assert outputs(gathered.baseline.evaluations) == ["other"]
        assert outputs(gathered.earlier[0].evaluations) == ["own"]

    alone = Wanted(baseline=f"version:{mine.version.name}", plans=(mine,))
    asked = baselines.gather(alone, tracker)
    assert outputs(asked.baseline.evaluations) == ["own"]  # it was asked for by name
    assert asked.earlier[0].evaluations == ()  # results are not compared with themselves


def test_where_only_the_version_itself_passed_nothing_is_compared(
    tracker: MlflowTracker, record: Record
):
    mine = plan(FULL, "basic")
    record(replace(FULL, version=mine.version), verdict="pass")

    gathered = baselines.gather(Wanted(baseline="latest", plans=(mine,)), tracker)

    assert gathered.notes[0] == (
        "baseline 'latest': nothing but this version itself is recorded, so nothing is compared"
    )


def gather_anchors(tracker: MlflowTracker, *anchors: str, **more: object) -> Gathered:
    plans = (plan(FULL, "warm"), plan(FULL, "cold"))
    wanted = {"baseline": "warm", "anchors": anchors, "plans": plans, **more}
    return baselines.gather(Wanted(**wanted), tracker)


def test_an_anchor_is_a_version_of_the_sweep_or_from_the_store(
    tracker: MlflowTracker, record: Record
):
    """What the sweep evaluates itself is not taken from the store; the baseline is one already."""
    record(run("basic", "old"), verdict="pass")
    cold = replace(run("cold", "same"), version=plan(FULL, "cold").version)
    record(cold)
    tracker.pin("app-basic-git-a41e0d70")

    (found,) = gather_anchors(tracker, "anchor").anchors
    assert not isinstance(found, int)
    assert outputs(found.evaluations) == ["old"]
    assert gather_anchors(tracker, "cold").anchors == (1,)
    assert gather_anchors(tracker, f"version:{cold.version.name}").anchors == (1,)
    assert gather_anchors(tracker, "version:app-basic-git-a41e0d70", "cold").anchors[1] == 1

    same = gather_anchors(tracker, "previous", baseline="version:app-basic-git-a41e0d70")
    itself = gather_anchors(
        tracker, f"version:{cold.version.name}",
        baseline="previous", plans=(plan(FULL, "cold"),),
    )  # fmt: skip
    assert (same.anchors, same.notes[0]) == (
        (),
        "anchor 'previous' is app-basic-git-a41e0d70, which is the baseline already",
    )
    assert (itself.anchors, itself.notes[0]) == (
        (),
        f"anchor 'version:{cold.version.name}' is {cold.version.name}, which is this version "
        "itself",
    )


def test_an_anchor_that_there_is_not_or_that_cannot_be_compared_is_told(
    tracker: MlflowTracker, record: Record
):
    with pytest.raises(ConfigError) as nothing_pinned:
        gather_anchors(tracker, "anchor")
    with pytest.raises(ConfigError) as nothing_passed:
        gather_anchors(tracker, "previous")
    with pytest.raises(ConfigError) as unknown:
        gather_anchors(tracker, "version:nope")
    with pytest.raises(ConfigError) as no_store:
        baselines.gather(
            Wanted(baseline="warm", anchors=("anchor",), plans=(plan(FULL, "warm"), plan(FULL))),
            None,
        )
    record(SMOKE, verdict="pass")
    tracker.pin(SMOKE.version.name)
    with pytest.raises(ComparisonError, match="not comparable: dataset digest differs"):
        gather_anchors(tracker, "anchor")

    assert str(nothing_pinned.value) == (
        "baselines: anchor: no version of 'app' is pinned. Pin one: vcmp versions pin NAME"
    )
    assert str(nothing_passed.value) == (
        "baselines: previous: no version of the tracking store has passed yet.\n"
        "  See which there are (vcmp versions), and name one: version:NAME"
    )
    assert str(unknown.value) == (
        "baselines: version:nope: the tracking store has no such version. See what it has: "
        "vcmp versions"
    )
    assert str(no_store.value) == (
        "baselines: anchor: tracking=none has no such version. See what it has: vcmp versions"
    )
    assert gather_anchors(tracker, "previous").notes == (
        "anchor 'previous' was recorded only with other cases, scorers or answers, "
        "so nothing is compared with it",
    )


def test_names_that_are_nowhere_are_refused_before_anything_runs():
    variants = [version(name).variant for name in ("basic", "warm")]

    with pytest.raises(ConfigError) as nowhere:
        baselines.check(variants, "basic", ["warn"])
    with pytest.raises(ConfigError) as twice:
        baselines.check(variants, "basic", ["anchor", "basic"])

    assert str(nowhere.value) == (
        "baselines: 'warn' is not in this sweep, which has 'basic', 'warm'. Did you mean 'warm'?\n"
        "  Add it (agent=warn,…), or take it out of baselines=[…]."
    )
    assert str(twice.value) == "baselines: 'basic' is asked for twice. Name each only once."
    baselines.check(variants, "previous", ["anchor", "warm", "version:x", "git:main", "latest"])


def test_everything_is_saved_beside_the_sweep(
    tracker: MlflowTracker, record: Record, tmp_path: Path
):
    """And read back as one evaluation a version."""
    mine = plan(FULL, "cold")
    for made in (run("basic", "old"), run("basic", "older"), run("warm", "pinned"),
                 replace(run("cold", "own"), version=mine.version)):  # fmt: skip
        record(made)
    tracker.pin("app-warm-git-a41e0d70")
    wanted = Wanted(baseline="basic", anchors=("anchor",), plans=(mine,))

    folders = baselines.gather(wanted, tracker).save(tmp_path, [tmp_path / "0"])

    assert folders == ("anchors/0",)
    found = {str(path.parent.relative_to(tmp_path)) for path in tmp_path.rglob("evaluation.json")}
    assert {path for path in found if not path.startswith("recorded")} == {
        "0/earlier/0", "anchors/0", "baseline", "baseline/earlier/0",
    }  # fmt: skip
    assert (pooled := results.load_baseline(tmp_path)) is not None
    assert (pooled.repeats, [r.output for r in pooled.results][:2]) == (2, ["older", "old"])
