"""A judge against labels: numbers with known answers, and what must hold for any."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vcmp.agreement import Seen, agreement, kappa, means


def seen(
    *judged: tuple[float | None, float | None], lengths: list[int] | None = None
) -> list[Seen]:
    """One answer for each (judge's score, label)."""
    return [
        Seen(case_id=f"c{n}", value=value, label=label, length=lengths[n] if lengths else 0)
        for n, (value, label) in enumerate(judged)
    ]


def test_kappa_of_a_table_with_known_answer():
    """20 and 15 times alike, 5 and 10 times not: p 0.7, e 0.5."""
    verdicts = [1] * 25 + [0] * 25
    labels = [1] * 20 + [0] * 5 + [1] * 10 + [0] * 15

    assert kappa(verdicts, labels) == pytest.approx(0.4)


def test_a_judge_that_always_says_the_same_has_no_kappa_above_chance():
    """However often it is right: nine of ten answers being good is no merit of the judge."""
    found = agreement(seen(*[(1, 1)] * 9, (1, 0)))

    assert (found.agreed, found.n) == (9, 10)
    assert found.kappa == 0
    assert (found.too_kind, found.too_strict) == (1, 0)


def test_labels_of_one_kind_give_no_kappa():
    assert agreement(seen((1, 1), (1, 1))).kappa is None
    assert agreement(seen((1, 1), (1, 1))).strength == ""


def test_accuracy_has_wilsons_interval():
    """41 of 50, by the closed formula."""
    accuracy = agreement(seen(*[(1, 1)] * 41, *[(1, 0)] * 9)).accuracy

    assert accuracy
    assert accuracy.value == 0.82
    assert accuracy.interval.low == pytest.approx(0.6920, abs=1e-4)
    assert accuracy.interval.high == pytest.approx(0.9023, abs=1e-4)


def test_a_score_counts_as_yes_from_one_half_on():
    found = agreement(seen((0.5, 1), (0.49, 1), (0.75, 0.5), (0.2, 0.4)))

    assert (found.agreed, found.too_kind, found.too_strict) == (3, 0, 1)


def test_a_tie_is_a_verdict_of_its_own_for_a_pairwise_judge():
    judged = seen((0.5, 0.5), (0.5, 1), (1, 0.5), (0, 0))

    assert agreement(judged, pairwise=True).agreed == 2
    assert agreement(judged).agreed == 4


def test_an_answer_that_the_judge_could_not_score_is_no_disagreement():
    found = agreement(seen((None, 1), (1, 1), (0, 0), (1, None)))

    assert (found.n, found.agreed, found.unscored) == (2, 2, 1)


def test_nothing_labelled_gives_no_number():
    found = agreement(seen((1, None)))

    assert (found.n, found.accuracy, found.kappa, found.length_bias) == (0, None, None, None)


def test_length_bias_has_newcombes_interval():
    """His example (a): 56 of 70 against 48 of 80."""
    long = [(1.0, 0.0)] * 56 + [(0.0, 0.0)] * 14
    short = [(1.0, 0.0)] * 48 + [(0.0, 0.0)] * 32

    bias = agreement(seen(*long, *short, lengths=[2] * 70 + [1] * 80)).length_bias

    assert bias
    assert bias.value == pytest.approx(0.2)
    assert bias.interval.low == pytest.approx(0.0524, abs=1e-4)
    assert bias.interval.high == pytest.approx(0.3339, abs=1e-4)


def test_answers_of_one_length_show_no_bias():
    assert agreement(seen((1, 0), (1, 1), lengths=[5, 5])).length_bias is None


def test_the_order_decides_a_share_of_what_was_shown_in_both():
    """A pair that needed no judge says nothing about its place."""
    judged = [
        Seen(case_id="a", value=0.5, swayed=True),
        Seen(case_id="b", value=1, swayed=False),
        Seen(case_id="c", value=0.5),
    ]

    assert agreement(judged, pairwise=True).swayed == 0.5
    assert agreement(seen((1, 1))).swayed is None


@pytest.mark.parametrize(
    ("verdicts", "strength"),
    [
        ([1, 1, 0, 0], "almost perfect"),
        ([0, 0, 1, 1], "poor"),
        ([1, 0, 1, 0], "slight"),
    ],
)
def test_a_kappa_has_a_name(verdicts, strength):
    found = agreement(seen(*zip(verdicts, [1, 1, 0, 0], strict=True)))

    assert found.strength == strength


scores = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])


@given(st.lists(st.tuples(scores, scores), min_size=1, max_size=40), st.booleans())
def test_the_counts_add_up_and_the_intervals_hold_their_number(judged, pairwise):
    found = agreement(seen(*judged, lengths=list(range(len(judged)))), pairwise=pairwise)

    assert found.agreed + found.too_kind + found.too_strict == found.n == len(judged)
    assert found.kappa is None or -1 <= found.kappa <= 1
    for estimate in (found.accuracy, found.length_bias):
        if estimate:
            assert estimate.interval.low <= estimate.value <= estimate.interval.high
            assert estimate.interval.low < estimate.interval.high


@given(st.lists(st.tuples(scores, scores), max_size=40))
def test_kappa_does_not_care_who_is_who(judged):
    verdicts = [int(value >= 0.5) for value, _ in judged]
    labels = [int(label >= 0.5) for _, label in judged]

    assert kappa(verdicts, labels) == kappa(labels, verdicts)


def test_no_mean_is_corrected_where_all_answers_have_labels():
    assert means(seen((1, 1), (0, 0))) is None
    assert means(seen((1, None), (0, None))) is None


def test_both_plain_means_stand_beside_each_other():
    found = means(seen(*[(1, 1)] * 6, *[(1, 0)] * 4, *[(1, None)] * 10))

    assert found
    assert (found.judged.value, found.judged.n) == (1, 20)
    assert (found.labelled.value, found.labelled.n) == (0.6, 10)
    assert found.corrected is None  # a judge that says yes to all has no error to learn


def test_the_labels_correct_a_judge_that_is_too_kind():
    """It says 0.9 of what is 0.7."""
    pytest.importorskip("ppi_py", reason="the extra ppi is not installed")
    labelled = [(1, 1)] * 70 + [(1, 0)] * 20 + [(0, 0)] * 10
    found = means(seen(*labelled, *[(1, None)] * 270, *[(0, None)] * 30))

    assert found
    assert found.judged.value == pytest.approx(0.9)
    assert found.corrected
    assert found.corrected.value == pytest.approx(0.7, abs=0.01)
    narrow = found.corrected.interval.high - found.corrected.interval.low
    assert narrow < found.labelled.interval.high - found.labelled.interval.low
