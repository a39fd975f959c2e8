"""The conclusion on a terminal and in the log of a CI system."""

import io

import pytest
from rich.console import Console

from tests.builders import SCRIPTED, conclusion, evaluation, finding, verdict
from tests.reports.test_text import HOSTILE
from vcmp.reports import screen


def shown(told, **options):
    file = io.StringIO()
    screen(told, Console(file=file, width=80, **options))
    return file.getvalue()


def test_the_whole_screen():
    """Who answered, the versions, the metrics, the rules, the verdict: in this order."""
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
    sides = evaluation({"a": 1.0}), evaluation({"a": 0.9}, variant="empathetic")

    assert "a loss is certain, though the rule allows it" in shown(
        conclusion(*sides, findings=[finding(alert=True)])
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
    found = finding(text, "fail", metric=text, observed=text, advice=text)
    told = conclusion(*sides, outcome="fail", findings=[found], reason=text, notes=(text,))
    lines = shown(told).split("\n")

    assert all(
        line.startswith(("  ", "answered by: ", "note: ", "fail: ")) for line in lines if line
    )
    assert all(line.isprintable() for line in lines)
    assert len(lines) == 14


def test_a_version_that_was_judged_alone_is_told_with_its_rules():
    version = evaluation({"a": "TimeoutError"})
    found = finding("no case fails", "fail", observed="1 of 1 results failed", advice="Read it.")
    told = conclusion(version, outcome="fail", verdicts=[verdict(version, "fail", [found])])

    assert shown(told).endswith(
        "\n"
        "  basic: fail\n"
        "    fail   no case fails   1 of 1 results failed\n"
        "      Read it.\n"
        "\n"
        "fail: basic does not pass gate release (nothing was compared)\n"
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
