"""The conclusion on a terminal and in the log of a CI system."""

import io

import pytest
from rich.console import Console

from tests.builders import SCRIPTED, conclusion, evaluation, finding, table, verdict
from tests.reports.test_text import HOSTILE
from vcmp.reports import screen


def shown(told, **options):
    file = io.StringIO()
    screen(told, Console(file=file, width=80, **options))
    return file.getvalue()


def test_the_whole_screen():
    """Who answered, the versions, the metrics, the rules; last the verdict, the number that decided
    and the next step."""
    baseline = evaluation({"a": 1.0, "b": 0.5}, answerer=SCRIPTED)
    candidate = evaluation({"a": 0.0, "b": 1.0}, answerer=SCRIPTED, variant="empathetic")
    findings = [
        finding("no case fails", observed="none of 2 failed"),
        finding("polite >= 0.80", "fail", observed="0.50 over 2 cases", advice="Mend it."),
    ]
    told = conclusion(
        baseline, candidate, outcome="fail", findings=findings, reason="polite is 0.50, not 0.80"
    )

    assert shown(told) == (
        "answered by: scripted demo, no language model was called\n"
        "\n"
        "  basic        2 cases   2 answered   0 failed   polite 0.750\n"
        "  empathetic   2 cases   2 answered   0 failed   polite 0.500\n"
        "\n"
        "  empathetic against basic: fail\n"
        "    polite   0.750 -> 0.500   -0.250   1 better, 1 worse\n"
        "\n"
        "    pass   no case fails    none of 2 failed\n"
        "    fail   polite >= 0.80   0.50 over 2 cases\n"
        "      Mend it.\n"
        "\n"
        "fail: empathetic should not ship\n"
        "  polite is 0.50, not 0.80\n"
        "  next: read the case that got worse in polite: a\n"
    )


def test_every_number_of_a_scripted_judge_is_marked():
    """Rules answered in the judge's place; nobody may quote the number as a model's."""
    sides = [
        evaluation({"a": n}, variant=v, answerer=SCRIPTED, judges=["polite"])
        for v, n in [("basic", 0.5), ("empathetic", 1.0)]
    ]
    text = shown(conclusion(*sides, findings=[finding()]))

    assert "1 case   1 answered   0 failed   polite (scripted judge) 0.500\n" in text
    assert "    polite (scripted judge)   0.500 -> 1.000   +0.500" in text
    assert "    pass   polite >= 0.80 (scripted judge)   0.91 over 20 cases\n" in text


def test_failed_and_unscored_answers_stand_beside_the_mean():
    told = conclusion(evaluation({"a": "TimeoutError", "b": None, "c": 1.0}))

    assert "  basic   3 cases   2 answered   1 failed   polite 0.500 (2/3)\n" in shown(told)
    assert shown(told).endswith("\n  evaluated basic, compared with nothing\n")


def test_a_certain_loss_is_told_even_where_the_rule_passes():
    sides = evaluation({"a": 1.0}), evaluation({"a": 0.875}, variant="empathetic")

    assert shown(
        conclusion(*sides, findings=[finding(alert="loss", estimate=-0.125)], reason="as it is")
    ).endswith(
        "pass: empathetic may ship\n"
        "  as it is\n"
        "  alert: certainly worse than the baseline on polite (-0.125), within the margin\n"
    )


def test_notes_are_told():
    told = conclusion(evaluation({"a": 1.0}), notes=("the evaluation was interrupted",))

    assert "\nnote: the evaluation was interrupted\n" in shown(told)


def test_metrics_beyond_the_fourth_are_in_the_report():
    more = {f"m{n}": {"a": 0.5} for n in range(7)}
    sides = [evaluation({"a": 1.0}, more=more, variant=v) for v in ("basic", "empathetic")]
    text = shown(conclusion(*sides, findings=[finding("m6 >= 0.5", metric="m6")]))

    assert "    m6       0.500" in text
    assert "    4 more metrics in the report\n" in text


def test_colours_are_for_terminals_alone():
    told = conclusion(evaluation({"a": 1.0}), evaluation({"a": 1.0}, variant="empathetic"))

    assert "\x1b[" not in shown(told)
    assert "\x1b[" in shown(told, force_terminal=True)


@pytest.mark.parametrize(
    "text", [*filter(None, HOSTILE), "::error::EVIL", "[bold]EVIL[/]", "[/EVIL]"]
)
def test_text_from_data_neither_begins_a_line_nor_controls_the_terminal(text):
    """`::error::` at the beginning of a line is a command to GitHub Actions."""
    sides = [
        evaluation({"a": n}, variant=text + v, metric=text) for v, n in [("b", 1.0), ("c", 0.0)]
    ]
    kind = {"metric": text, "observed": text, "advice": text}
    found = [
        finding(text, "fail", alert="critical", **kind),
        finding(f"~{text}", "fail", against=text, **kind),
    ]
    told = conclusion(*sides, outcome="fail", findings=found, reason=text, notes=(text,))
    lines = shown(told).split("\n")

    assert all(
        line.startswith(("  ", "answered by: ", "note: ", "fail: ")) for line in lines if line
    )
    assert all(line.isprintable() for line in lines)
    assert len(lines) == 17


def test_a_version_that_was_judged_alone_is_told_with_its_rules():
    version = evaluation({"a": "TimeoutError"})
    found = finding(
        "no case fails",
        "fail",
        metric="error_rate",
        observed="1 of 1 results failed",
        advice="Read it.",
    )
    judged = verdict(version, "fail", [found], reason="1 of 1 results failed")
    told = conclusion(version, outcome="fail", verdicts=[judged])

    assert shown(told).endswith(
        "\n"
        "  basic: fail\n"
        "    fail   no case fails   1 of 1 results failed\n"
        "      Read it.\n"
        "\n"
        "fail: basic does not pass gate release (nothing was compared)\n"
        "  1 of 1 results failed\n"
        "  next: read the errors of a\n"
    )


def test_a_gate_without_rules_decides_nothing():
    sides = evaluation({"a": 1.0}), evaluation({"a": 0.0}, variant="empathetic")
    told = conclusion(*sides, findings=[], gate="none", reason="The gate has no rule.")

    assert shown(told).endswith(
        "    The gate has no rule.\n"
        "\n"
        "  compared empathetic with basic, nothing decided: gate none has no rule\n"
    )
    assert "pass" not in shown(told)


def test_signs_of_a_report_are_plain_on_a_terminal():
    """A console of another encoding has neither the minus nor the arrow."""
    sides = evaluation({"a": 1.0}), evaluation({"a": 1.0}, variant="empathetic")
    told = conclusion(*sides, findings=[finding(observed="−0.5 (1.0 → 0.5)")])

    assert "-0.5 (1.0 -> 0.5)\n" in shown(told)


def test_what_the_verdict_tells_is_not_told_twice():
    """The rule that decided stands beside the verdict; the list has the others."""
    sides = evaluation({"a": 1.0}), evaluation({"a": 0.0}, variant="empathetic")
    findings = [
        finding("polite >= 0.80", "fail", observed="0.00 over 1 case"),
        finding("no case fails", observed="none failed", against="app-pinned-git-1"),
    ]
    reason = "polite >= 0.80 does not hold: 0.00 over 1 case."
    text = shown(conclusion(*sides, outcome="fail", findings=findings, reason=reason))

    assert text.count("0.00 over 1 case") == 1
    assert "\n    pass   no case fails, against pinned-git-1   none failed\n" in text


def test_several_candidates_have_a_number_and_a_step_each():
    baseline, good, bad = (evaluation({"a": n}, variant=v) for v, n in
                           [("basic", 0.5), ("concise", 0.9), ("empathetic", 0.1)])  # fmt: skip
    verdicts = [
        verdict(good, "pass", [finding()], reason="polite rose", rollout=0.25),
        verdict(bad, "fail", [finding(outcome="fail")], reason="polite fell"),
    ]

    assert shown(conclusion(baseline, good, bad, outcome="fail", verdicts=verdicts)).endswith(
        "\n"
        "fail: 1 of 2 candidates fails gate release; only concise passes\n"
        "  concise: pass\n"
        "    polite rose\n"
        "    next: nothing ships unless every candidate passes; to have the best one chosen set "
        "select: best_passing in the gate\n"
        "  empathetic: fail\n"
        "    polite fell\n"
        "    next: read the case that got worse in polite: a\n"
    )


def test_a_command_to_be_typed_stands_on_a_line_of_its_own():
    sides = evaluation({"a": 1.0}), evaluation({"a": 1.0}, variant="empathetic")
    found = finding(
        "x",
        "inconclusive",
        needed_cases=42,
        needed_repeats=4,
        if_unchanged=True,
        visible_loss=0.09,
        rollout=0.0,
    )
    told = conclusion(*sides, outcome="inconclusive", findings=[found], reason="too few")

    assert shown(told).endswith(
        "inconclusive: too little evidence to ship empathetic\n"
        "  too few\n"
        "  next: run it with 4 repeats, or add 41 cases to support (42 in all)\n"
        "        python -m vcmp agent=empathetic,basic --multirun repeats=4\n"
        "        That decides in 4 of 5 runs if the versions are equally good. "
        "A loss of 0.090 or more would already have shown.\n"
    )


def test_scores_from_a_table_are_told_without_counts():
    sides = evaluation({"a": 1.0}), evaluation({"a": 0.5}, variant="empathetic")
    told = table(conclusion(*sides, outcome="fail", reason="polite fell"), source="scores.csv")

    assert shown(told) == (
        "scores from: scores.csv\n"
        "\n"
        "  basic        1 case   polite 1.000\n"
        "  empathetic   1 case   polite 0.500\n"
        "\n"
        "  empathetic against basic: fail\n"
        "    polite   1.000 -> 0.500   -0.500   0 better, 1 worse\n"
        "\n"
        "    fail   polite >= 0.80   0.91 over 20 cases\n"
        "\n"
        "fail: empathetic should not ship\n"
        "  polite fell\n"
        "  next: read the case that got worse in polite: a\n"
    )
