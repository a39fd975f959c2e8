"""The benchmark of decisions: its scores are as true as it says, and its page says what it saw."""

import math
import re
from pathlib import Path

import numpy as np
import pytest

from benchmarks.decisions.__main__ import EVERY, SEED, main
from benchmarks.decisions.results import Check
from benchmarks.decisions.rivals import (
    cases_needed,
    guide_ships,
    plain_ships,
    share_at_looks,
    unit_error,
    z_outcome,
)
from benchmarks.decisions.scenarios import LOOKED, PAIRED, RATIOS, Scenario
from benchmarks.decisions.trials import plan, random
from benchmarks.decisions.worlds import Sample, table

SOME = 200_000
"""Cases that show a truth to about a tenth of a point."""


def named(name: str) -> Scenario:
    return next(scenario for scenario in EVERY if scenario.name == name)


CLAIMS = [
    (scenario, effect)
    for scenario in EVERY
    if scenario not in LOOKED
    for effect in scenario.effects
]


@pytest.mark.parametrize(
    ("scenario", "effect"), CLAIMS, ids=lambda each: getattr(each, "name", str(each))
)
def test_the_truth_is_what_the_scenario_says(scenario: Scenario, effect: float):
    """Every rate on the page rests on it."""
    rng = random(SEED, scenario.name, effect)
    sample = scenario.world.draw(rng, SOME, (effect, *scenario.others))

    for place, claimed in enumerate((effect, *scenario.others)):
        seen = float(scenario.scale.estimate(*sample.measured(place)))
        noise = unit_error(scenario, claimed, rng, runs=100) / math.sqrt(SOME)
        assert seen == pytest.approx(scenario.scale.good(claimed), abs=4.5 * noise)


@pytest.mark.parametrize("scenario", [*PAIRED, RATIOS[0]], ids=lambda each: each.name)
def test_versions_agree_on_easy_and_hard_cases(scenario: Scenario):
    """Paired tests live on it."""
    sample = scenario.world.draw(random(SEED), 20_000, (scenario.unchanged,))

    assert np.corrcoef(*sample.measured())[0, 1] > 0.25


def test_clusters_share_what_they_gain_or_lose():
    """Cases of one cluster are worth less than as many on their own."""
    clustered, lone = named("clusters of 5 cases"), named("any number")
    sample = clustered.world.draw(random(SEED), SOME, (0.0,))
    baseline, candidate = sample.measured()
    differences = candidate - baseline

    assert sample.cluster_size == 5
    assert differences.reshape(-1, 5).mean(axis=1).var() > 1.5 * differences.var() / 5
    assert unit_error(clustered, 0.0, random(SEED), 500) > 1.2 * unit_error(
        lone, 0.0, random(SEED), 500
    )


def test_errors_fall_on_hard_cases_and_are_marked():
    """Who drops their empty cells sees a better candidate than there is."""
    sample = named("errors on hard cases").world.draw(random(SEED), SOME, (0.0,))
    empty = np.isnan(sample.candidates[0])
    columns = table({"quality": sample}, ["variant_1"])
    errors = [
        value
        for scorer, value in zip(columns["scorer"], columns["candidate"], strict=True)
        if scorer == "error"
    ]

    assert 0.04 < empty.mean() < 0.08
    assert sample.baseline[empty].mean() < sample.baseline.mean() - 0.2
    assert np.nanmean(sample.candidates[0]) > sample.baseline.mean() + 0.03
    assert errors == empty.ravel().tolist()


def test_a_table_has_one_line_for_each_case_and_repeat():
    sample = Sample(
        baseline=np.array([[0.0, 1.0], [0.5, 0.5]]),
        candidates=(np.array([[1.0, 1.0], [0.25, 0.75]]),),
        cluster_size=2,
    )

    columns = table({"quality": sample}, ["new"])

    lines = list(zip(*columns.values(), strict=True))
    assert tuple(columns) == (
        "variant", "case_id", "cluster", "tag", "repeat", "scorer", "baseline", "candidate",
    )  # fmt: skip
    assert lines == [
        ("new", "case-0", "group-0", "", 0, "quality", 0.0, 1.0),
        ("new", "case-0", "group-0", "", 1, "quality", 1.0, 1.0),
        ("new", "case-1", "group-0", "", 0, "quality", 0.5, 0.25),
        ("new", "case-1", "group-0", "", 1, "quality", 0.5, 0.75),
    ]


def test_the_z_test_knows_the_true_spread():
    """Half right, abilities from beta(½, ½): twice the mean of q(1 - q), which is ¼."""
    assert unit_error(named("yes or no, half right"), 0.0, random(SEED), 500) == pytest.approx(
        0.5, rel=0.03
    )


def test_the_z_test_is_wrong_in_one_of_twenty():
    """With an estimate that is as normal as it assumes."""
    estimates = random(SEED, "z").normal(-0.05, 0.02, 20_000)
    outcomes = [z_outcome(PAIRED[0], float(each), 0.02) for each in estimates]

    assert outcomes.count("pass") / 20_000 == pytest.approx(0.05, abs=0.006)
    assert outcomes.count("fail") / 20_000 == pytest.approx(0.804, abs=0.015)


def test_the_guide_wants_both_means_and_a_gain_as_seen():
    ones, lower = np.full((10, 1), 1.0), np.full((10, 1), 0.9)

    def sample(baseline: np.ndarray, candidate: np.ndarray) -> Sample:
        return Sample(baseline=baseline, candidates=(candidate,))

    assert guide_ships(sample(lower, ones), sample(ones, lower))
    assert not guide_ships(sample(ones, ones), sample(ones, lower))
    assert not guide_ships(sample(lower, ones), sample(ones, lower - 0.2))


def test_the_plain_threshold_takes_the_numbers_as_seen():
    """One loss of 20 is a loss of the margin, as seen."""
    ones = np.ones((20, 1))
    for lost, ships in ((0, True), (2, False)):
        candidate = ones.copy()
        candidate[:lost] = 0
        sample = Sample(baseline=ones, candidates=(candidate,))
        assert plain_ships(PAIRED[0], sample) is ships


def test_advice_is_true_where_the_z_test_passes_four_times_in_five():
    """The textbook's number: 0.5 of spread and a margin of 0.05 take 618 cases."""
    assert cases_needed(0.5) == pytest.approx(618.3, abs=0.1)


def test_looks_save_what_the_margin_allows():
    """All but the first fifth when nothing is in doubt, nothing when everything is."""
    assert share_at_looks(50.0, random(SEED)) == pytest.approx(0.2)
    assert share_at_looks(0.0, random(SEED)) > 0.9


def test_a_breach_is_told_from_chance():
    clear = Check(what="false ship", where="", value=0.08, noise=0.005, most=0.06)
    close = Check(what="false ship", where="", value=0.065, noise=0.005, most=0.06)
    power = Check(what="pass", where="", value=0.5, beside=0.58, least=-0.05, most=0.05)

    assert (clear.kept, clear.by_chance) == (False, False)
    assert (close.kept, close.by_chance) == (False, True)
    assert not power.kept


def test_large_samples_get_fewer_runs_and_errors_more_than_chances():
    cells = plan([PAIRED[0]], 2000, (100, 1000))
    runs = {(cell.n_cases, cell.effect): cell.runs for cell in cells}

    assert runs[100, 0.0] == 2000
    assert runs[100, 0.03] == 500
    assert 100 <= runs[1000, 0.0] < 2000


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write(tmp_path_factory.mktemp("page"))


def write(folder: Path) -> str:
    path = folder / "decisions.md"
    main(["--quick", "--runs", "2", "--cores", "1", "--page", str(path)])
    return path.read_text(encoding="utf-8")


def test_the_page_has_every_table(page: str):
    """What the gate is judged by: errors, chances, intervals, advice and looks."""
    for header in (
        "| scores | cases | false ship | guide | plain | false block | guide | plain | undecided |",
        "| scores | cases | false ship | plain | false block | plain | undecided |",
        "| cases | all bad: one is shipped | guide | plain | one good: it is shipped |",
        "| scores | cases | pass at 0 | pass at 0.03 | fail at -0.05 | fail at -0.1 |",
        "| rule | cases | truth | pass | fail |",
        "| scores | 30 cases | 100 cases and more |",
        "| scores | undecided | truth | median advice | ratio | decided with that many |",
        "| scores | cases | false ship | false block | coverage | unchanged passes |",
    ):
        assert header in page
    for scenario in EVERY:
        assert f"| {scenario.name} |" in page or len(scenario.variants) == 5


def test_the_page_says_how_it_was_made_and_not_where(page: str):
    assert f"python -m benchmarks.decisions --runs 2 --seed {SEED}" in page
    assert re.search(r"Python 3\.\d+\.\d+, numpy .*, 1 cores?, \d+ minutes?", page)
    assert str(Path.cwd()) not in page


def test_the_same_seed_writes_the_same_page(page: str, tmp_path: Path):
    """But for the minutes it took."""
    again = write(tmp_path)

    assert re.sub(r"\d+ minutes?", "", again) == re.sub(r"\d+ minutes?", "", page)
