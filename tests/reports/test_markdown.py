"""The report: what a reviewer reads first, what is never left out, and who cannot break it."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from markdown_it import MarkdownIt

from tests.builders import SCRIPTED, conclusion, evaluation, finding, table, verdict
from tests.reports.test_text import HOSTILE
from vcmp.errors import ConfigError
from vcmp.reports import render
from vcmp.types import Case, Usage

ROOT = Path(__file__).parents[2]
MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])
PROMPT = "You are a helpful agent.\nAnswer briefly.\n"


def failing(**more):
    """`empathetic` loses on one of three cases and fails the gate."""
    params = {"prompt": PROMPT, "temperature": 0.3}
    baseline = evaluation({"a": 1.0, "b": 1.0, "c": 0.0}, params=params)
    changed = {"prompt": PROMPT.replace("helpful", "caring"), "temperature": 0.7}
    candidate = evaluation(
        {"a": 0.0, "b": 1.0, "c": 0.0}, variant="empathetic", params=changed, commit="9f2c" * 10
    )
    findings = [finding("polite >= 0.80", "fail", observed="0.33 over 3 cases", advice="Mend it.")]
    told = {"outcome": "fail", "findings": findings, "reason": "polite lost 0.333", **more}
    return conclusion(baseline, candidate, **told)


def lines(report):
    return report.splitlines()


def row(report, label):
    """The cells of the first table row that begins with `label`."""
    found = next(line for line in lines(report) if line.startswith(f"| {label}"))
    return [cell.strip() for cell in found.strip("|").split("|")]


def test_the_verdict_comes_first_then_the_number_that_decided():
    report = lines(render(failing()))

    assert report[0] == "<!-- vcmp:report app/support/release -->"
    assert report[1] == "### ❌ fail: `empathetic` should not ship"
    assert report[3] == "**polite lost 0.333** · gate `release` · baseline `basic`"


def test_two_renders_are_equal_byte_for_byte():
    """A report that differs between renders cannot be reviewed or cached."""
    assert render(failing()) == render(failing())


def test_a_scripted_demo_says_so_before_any_number():
    scores = {"a": 1.0}
    sides = [evaluation(scores, variant=v, answerer=SCRIPTED) for v in ("basic", "empathetic")]
    report = render(conclusion(*sides, notes=("tried",)))

    assert lines(report)[3].startswith(
        "**answered by: scripted demo, no language model was called.**"
    )
    assert row(report, "Latency, cost") == ["Latency, cost", "-", "-"]


def test_every_number_of_a_scripted_judge_is_marked():
    """Nobody may take a rule's word for a model's, in whatever table he looks."""
    cases = [Case(id="a", inputs={"question": "?"}, tags=("billing",))]
    sides = [
        evaluation({"a": n}, cases=cases, variant=v, answerer=SCRIPTED, judges=["polite"])
        for v, n in [("basic", 1.0), ("empathetic", 0.0)]
    ]
    report = render(conclusion(*sides, outcome="fail", findings=[finding(outcome="fail")]))

    assert row(report, "`polite` (scripted judge)")[1] == "1.000"
    assert row(report, "polite >= 0.80")[0] == "polite >= 0.80 (scripted judge)"
    assert "**`a`** · `billing` · `polite` (scripted judge) 1 → 0" in report
    assert "| `polite` (scripted judge) | 1 | 1 / 1 |" in report
    assert "By tag: <code>polite</code> (scripted judge)" in report


def test_a_judge_that_asked_a_model_is_a_judge():
    sides = [
        evaluation({"a": n}, variant=v, judges=["polite"]) for v, n in [("b", 1.0), ("c", 0.0)]
    ]

    assert row(render(conclusion(*sides)), "`polite`")[0] == "`polite` (judge)"


def test_the_table_shows_values_with_their_differences():
    report = render(failing())

    assert row(report, " |")[1:] == ["`basic` (baseline, `a41e0d70`)", "`empathetic` (`9f2c9f2c`)"]
    assert row(report, "**Verdict**") == ["**Verdict**", "–", "❌ **fail**"]
    assert row(report, "`polite`") == ["`polite`", "0.667", "0.333 (−0.333) ❌ fail"]
    assert row(report, "Failed") == ["Failed / asked", "0 / 3", "0 / 3"]
    assert row(report, "Cost") == ["Cost of 100 answers, USD", "0.05", "0.05 (0 %)"]


def test_a_difference_whose_sign_is_certain_is_bold():
    scores = {str(n): 0.2 + 0.01 * (n % 3) for n in range(20)}
    better = {
        case_id: value + 0.5 + 0.01 * (n % 2) for n, (case_id, value) in enumerate(scores.items())
    }
    report = render(conclusion(evaluation(scores), evaluation(better, variant="empathetic")))

    assert "(**+0.505**)" in row(report, "`polite`")[2]


def test_more_than_four_versions_stand_below_each_other():
    """Five columns do not fit on a phone; five rows do."""
    versions = [evaluation({"a": n / 10}, variant=f"v{n}") for n in range(5)]
    report = render(conclusion(*versions))

    assert row(report, " |")[1:3] == ["**Verdict**", "`polite`"]
    assert row(report, "`v4`")[2].startswith("0.400")


def test_the_table_has_at_most_eight_rows_and_the_rest_is_below():
    """Metrics that a rule names stay; what is left over is in the details."""
    more = {f"m{n}": {"a": 0.5} for n in range(9)}
    sides = [evaluation({"a": 1.0}, more=more, variant=v) for v in ("basic", "empathetic")]
    found = finding("m7 >= 0.80", "fail", metric="m7")
    report = render(conclusion(*sides, outcome="fail", findings=[found]))

    table = report.split("|:--|--:|--:|\n")[1].split("\n\n")[0]
    assert len(lines(table)) == 8
    assert lines(table)[1].startswith("| `m7`")
    assert "7 more metrics below" in report


def test_failed_unscored_and_missing_answers_are_counted():
    """A mean never stands without what is missing from it."""
    baseline = evaluation({"a": 1.0, "b": 1.0, "c": 1.0})
    candidate = evaluation({"a": "TimeoutError", "b": None, "c": 1.0}, variant="empathetic")
    report = render(conclusion(baseline, candidate, outcome="invalid", findings=[]))

    assert row(report, "`polite`")[2].endswith("2 of 3 scored")
    assert row(report, "Failed")[2] == "1 / 3"
    assert "- failed, 1 ×: `TimeoutError` in `a`" in report
    assert "- unscored by `polite`, 1 ×: `the judge gave no JSON` in `b`" in report


def test_each_error_stands_once_with_its_cases():
    scores = {str(n): "TimeoutError" for n in range(8)}
    report = render(conclusion(evaluation(scores)))

    assert "- failed, 8 ×: `TimeoutError` in `0`, `1`, `2`, `3`, `4` and 3 more" in report
    assert report.count("TimeoutError") == 1


def test_the_cases_that_got_worst_are_shown_as_differences():
    report = render(failing())

    assert "<summary>1 case got worse</summary>" in report
    assert "**`a`** · `polite` 1 → 0" in report
    assert "```diff\n  answer to a\n```" in report


def test_the_worst_of_many_cases_are_shown_and_the_rest_counted():
    before = {str(n): 1.0 for n in range(9)}
    after = {str(n): n / 10 for n in range(9)}
    report = render(conclusion(evaluation(before), evaluation(after, variant="empathetic")))

    assert "<summary>The 5 cases that got worst, of 9 that got worse</summary>" in report
    assert report.index("**`0`**") < report.index("**`1`**") < report.index("**`4`**")
    assert "**`5`**" not in report


def test_a_failed_case_shows_its_error_in_place_of_an_output():
    baseline = evaluation({"a": 1.0, "b": 1.0})
    candidate = evaluation({"a": "TimeoutError", "b": 1.0}, variant="empathetic")
    report = render(conclusion(baseline, candidate, outcome="fail"))

    assert "- answer to a\n+ (failed) TimeoutError\n" in report


def test_repeats_show_the_one_that_speaks_for_the_loss():
    baseline = evaluation({"a": [1.0, 1.0]})
    candidate = evaluation({"a": [1.0, 0.0]}, variant="empathetic", finish="length")
    report = render(conclusion(baseline, candidate, outcome="fail"))

    assert "1 → 0.5 · repeat 2 of 2 · the output was cut at the token limit" in report


def test_prompt_and_settings_are_shown_as_differences():
    report = render(failing())

    assert "```diff\n- temperature: 0.3\n+ temperature: 0.7\n```" in report
    assert "-You are a helpful agent.\n+You are a caring agent.\n Answer briefly.\n" in report
    assert "Code: `a41e0d70` → `9f2c9f2c`" in report


def test_nothing_changed_and_all_passed_is_three_lines_and_the_identity():
    sides = [evaluation({"a": 1.0}, variant=v) for v in ("basic", "empathetic")]

    assert render(conclusion(*sides)) == (
        "<!-- vcmp:report app/support/release -->\n"
        "### ✅ pass: `empathetic` may ship\n\n"
        "Every rule of `release` passes and no score changed: 1 case of `support`, none failed, "
        "baseline `basic`.\n\n"
        "Reproduce: `python -m vcmp agent=empathetic,basic --multirun`\n\n"
        "<sub>`app-basic-git-a41e0d70` · `app-empathetic-git-a41e0d70`</sub>\n"
    )


def test_several_candidates_have_a_reason_each_and_the_one_that_passes_is_named():
    baseline, good, bad = (evaluation({"a": n}, variant=v) for v, n in
                           [("basic", 0.5), ("concise", 0.9), ("empathetic", 0.1)])  # fmt: skip
    verdicts = [
        verdict(good, "pass", [finding()], reason="polite rose by 0.4"),
        verdict(bad, "fail", [finding(outcome="fail")], reason="polite lost 0.4"),
    ]
    report = render(conclusion(baseline, good, bad, outcome="fail", verdicts=verdicts))

    assert "### ❌ fail: 1 of 2 candidates fails gate `release`; only `concise` passes" in report
    assert "- ✅ **pass** `concise`: polite rose by 0.4" in report
    assert "- ❌ **fail** `empathetic`: polite lost 0.4" in report
    assert "<details><summary>Why it passed: <code>concise</code></summary>" in report
    assert "**Why it failed**: `empathetic`" in report


def test_a_certain_loss_that_no_rule_looks_at_is_pointed_out():
    """A gate that passes must not hide what it does not watch."""
    before = {str(n): 0.9 for n in range(9)}
    after = {str(n): 0.4 + n / 100 for n in range(9)}
    sides = [
        evaluation(before, more={"brief": scores}, variant=v)
        for v, scores in [("basic", before), ("empathetic", after)]
    ]
    watched = conclusion(*sides, findings=[finding(metric="polite"), finding(metric="brief/mean")])
    unwatched = conclusion(*sides, findings=[finding(metric="polite")])

    assert render(unwatched).count(
        "\n⚠️ **alert**: worse than the baseline on `brief` (−0.460), and no rule fails for it\n"
    )
    assert "no rule fails for it" not in render(watched)


def test_a_single_version_is_summed_up_without_a_verdict():
    report = render(conclusion(evaluation({"a": 1.0, "b": 0.0})))

    assert "### evaluated `basic`, compared with nothing" in report
    assert row(report, "`polite`") == ["`polite`", "0.500"]
    assert "Verdict" not in report


def test_a_candidate_that_could_not_be_compared_still_has_its_reason():
    sides = [evaluation({"a": 1.0}, variant=v) for v in ("basic", "empathetic")]
    report = render(
        conclusion(*sides, outcome="invalid", reason="the datasets differ", comparisons=())
    )

    assert "### ⚠️ invalid: the evidence about `empathetic` cannot be judged" in report
    assert "**the datasets differ**" in report


def test_results_are_shown_by_tag():
    cases = [Case(id=i, inputs={"question": i}, tags=("billing",)) for i in "ab"]
    sides = [evaluation({"a": n, "b": 0.0}, cases=cases, variant=v)
             for v, n in [("basic", 0.0), ("empathetic", 1.0)]]  # fmt: skip
    report = render(conclusion(*sides))

    assert row(report, "`billing`") == [
        "`billing`",
        "2",
        "0.000 → 0.500 (+0.500: −0.480 to +1.480)",
    ]
    assert "stands out" not in report


def test_traces_are_analysed_for_each_version():
    side = evaluation({"a": 1.0}, latency_s=2.0, usage=Usage(output_tokens=7))
    report = render(conclusion(side))

    assert row(report, "`basic`") == [
        *("`basic`", "1", "0.0 %", "2 s, 2–2", "2 / 2 / 2", "-", "7", "11"),
    ]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_anywhere_changes_nothing_but_the_text(text):
    """Ids, questions, outputs, rationales, errors, tags, names, prompts: all at once."""
    report = render(everywhere(text, text + "\n@more"))
    plain = render(everywhere("plain~", "plain~\n@more"))

    assert [t.type for t in MARKDOWN.parse(report)] == [t.type for t in MARKDOWN.parse(plain)]
    marker, rest = report.split("\n", 1)
    assert re.fullmatch("<!-- vcmp:report app/support/[A-Za-z0-9_-]+ -->", marker)
    assert "EVIL" not in "".join(outside_code(rest))


def everywhere(name, text):
    """A conclusion in which every text from data is `name` or `text`."""
    name = name or "-"
    cases = [
        Case(id=name + n, inputs={"question": text}, tags=(name + "t",)) for n in ("1", "2", "3")
    ]
    ids = [case.id for case in cases]
    kind = {
        "metric": name + "m",
        "cases": cases,
        "rationales": dict.fromkeys(ids, text),
        "judges": [name + "m"],
        "model": name,
    }
    before = evaluation(
        dict(zip(ids, [1.0, 1.0, 0.0], strict=True)),
        **kind,
        variant=name + "v",
        outputs=dict.fromkeys(ids, text),
        params={"prompt": text, "stop": [name]},
    )
    after = evaluation(
        dict(zip(ids, [0.0, f"{text}!", None], strict=True)),
        **kind,
        variant=name + "w",
        outputs=dict.fromkeys(ids, f"{text}\n{text}"),
        params={"prompt": text + text, "stop": [name, name]},
        dirty="abc",
    )
    found = [
        finding(f"<b>{name}", o, metric=name + "m", observed=text, advice=text)
        for o in ("fail", "pass")
    ]
    return conclusion(
        *(before, after),
        outcome="fail",
        findings=found,
        reason=text,
        gate=name,
        command=name,
        notes=(text,),
        baseline_note=text,
    )


def outside_code(report):
    """All text that GitHub would act on."""
    for token in MARKDOWN.parse(report):
        if token.type == "html_block":
            yield re.sub("<code>[^<]*</code>", "", token.content)
        for child in token.children or []:
            if child.type != "code_inline":
                yield child.content


def test_what_does_not_fit_is_left_out_in_order_and_named():
    """Whole parts go, the least telling first; what to trust stays."""
    whole = render(failing())
    shorter = render(failing(), limit=len(whole) - 100)
    shortest = render(failing(), limit=2_200)

    assert "Left out" not in whole
    assert "Left out to fit into a comment: trace analysis." in shorter
    assert "Trace analysis" not in shorter
    assert "what changed, table of all metrics" in shortest
    assert "Coverage, errors and trust" in shortest
    assert len(shortest) <= 2_200


def test_of_several_candidates_the_last_loses_its_parts_first():
    versions = [evaluation({"a": 0.5 - n / 10}, variant=f"v{n}") for n in range(3)]
    whole = render(conclusion(*versions))
    shorter = render(conclusion(*versions), limit=len(whole) - 1_000)

    assert "table of all metrics (1 of 2 candidates)" in shorter
    assert "All metrics: <code>v0</code> → <code>v1</code>" in shorter
    assert "All metrics: <code>v0</code> → <code>v2</code>" not in shorter


def test_the_limit_holds_even_where_nothing_can_be_left_out():
    assert len(render(failing(), limit=700)) <= 700
    assert render(failing(), limit=700).endswith("… (cut here; the rest is in `verdict.json`)\n")


def test_huge_outputs_make_no_huge_report():
    """10 MB from a runaway agent: the report stays a comment, and fast."""
    huge = {"a": "word ` \n" * 1_250_000, "b": "y" * 10_000_000}
    sides = [
        evaluation(
            {"a": n, "b": n}, outputs=huge, variant=v, params={"prompt": f"{v}\n{huge['b']}"}
        )
        for v, n in [("basic", 1.0), ("empathetic", 0.0)]
    ]
    assert len(render(conclusion(*sides, outcome="fail"))) < 30_000


def test_the_summary_is_the_head_of_the_report():
    report = render(failing(), template="summary")

    assert lines(report)[0] == "<!-- vcmp:summary app/support/release -->"
    assert "**polite lost 0.333** · gate `release` · baseline `basic`" in report
    assert "**Next**: read the case that got worse in `polite`: `a`." in report
    assert "<details>" not in report


@pytest.mark.parametrize(
    "path", sorted((ROOT / "conf/report").glob("*.yaml")), ids=lambda p: p.stem
)
def test_every_choice_of_the_sample_project_renders(path):
    choice = yaml.safe_load(path.read_text(encoding="utf-8"))

    assert render(failing(), **choice).startswith("<!-- vcmp:")
    assert path.read_text(encoding="utf-8").startswith("# ")


def test_a_project_can_bring_its_own_template(tmp_path):
    """It is given the page and the filters, and may include the packaged parts."""
    own = tmp_path / "ours.md.j2"
    own.write_text("# {{ page.headline }}\n{% include 'parts/identity.md.j2' %}")

    assert render(failing(), template=own).startswith("# `empathetic` should not ship\nReproduce:")


def message(template):
    with pytest.raises(ConfigError) as caught:
        render(failing(), template=template)
    return str(caught.value)


def test_a_misspelt_variable_is_reported_with_its_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ours.md.j2").write_text("fine\n{{ pages.headline }}\n")

    assert message("ours.md.j2") == "ours.md.j2:2: 'pages' is undefined. Did you mean 'page'?"


def test_a_misspelt_attribute_is_reported_with_its_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ours.md.j2").write_text("{{ page.head_line }}")

    assert message("ours.md.j2") == (
        "ours.md.j2:1: 'vcmp.reports.page.Page object' has no attribute 'head_line'"
    )


def test_a_template_cannot_reach_out_of_its_sandbox(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ours.md.j2").write_text("{{ page.__class__ }}")

    assert message("ours.md.j2") == (
        "ours.md.j2:1: access to attribute '__class__' of 'Page' object is unsafe"
    )


def test_an_unknown_template_is_named_with_the_nearest():
    assert message("pull_requst") == (
        "report.template 'pull_requst': there is no such template. Did you mean 'pull_request'?\n"
        "  Choose pull_request, summary, or the path of a file of your own."
    )


def test_a_missing_template_file_is_named():
    assert message("conf/none.md.j2") == "report.template 'conf/none.md.j2': no such file"


def several(*outcomes, best="v0", **more):
    """A conclusion about candidates v0, v1, … with these outcomes."""
    versions = [evaluation({"a": 0.5}, variant=f"v{n}") for n in range(len(outcomes))]
    verdicts = [
        verdict(version, outcome, [finding(outcome=outcome)])
        for version, outcome in zip(versions, outcomes, strict=True)
    ]
    return conclusion(evaluation({"a": 0.5}), *versions, verdicts=verdicts, best=best, **more)


@pytest.mark.parametrize(
    ("outcomes", "outcome", "sentence"),
    [
        ("ppp", "pass", "### ✅ pass: all 3 candidates may ship, best `v0`"),
        ("pp", "pass", "### ✅ pass: both candidates may ship, best `v0`"),
        ("ppf", "fail", "1 of 3 candidates fails gate `release`; 2 pass, best `v0`"),
        ("pff", "fail", "2 of 3 candidates fail gate `release`; only `v0` passes"),
        ("ff", "fail", "### ❌ fail: both candidates fail gate `release`"),
        ("if", "fail", "1 of 2 candidates fails gate `release`; none passes"),
        ("ppi", "inconclusive", "1 of 3 candidates lacks evidence to pass gate `release`; 2 pass"),
        ("ppx", "invalid", "1 of 3 candidates cannot be judged by gate `release`; 2 pass"),
    ],
)
def test_the_headline_gives_the_reason_of_the_whole_outcome(outcomes, outcome, sentence):
    """A red sweep with good candidates must not read as a contradiction."""
    words = {"p": "pass", "f": "fail", "i": "inconclusive", "x": "invalid"}
    told = several(*(words[each] for each in outcomes), outcome=outcome,
                   best="v0" if "p" in outcomes else "")  # fmt: skip

    assert sentence in lines(render(told))[1]


@pytest.mark.parametrize("template", ["pull_request", "summary"])
@pytest.mark.parametrize(
    ("outcome", "sentence"),
    [
        ("pass", "✅ pass: `basic` passes gate `release` (nothing was compared)"),
        ("fail", "❌ fail: `basic` does not pass gate `release` (nothing was compared)"),
        (
            "inconclusive",
            "⚠️ inconclusive: too little evidence that `basic` passes gate `release` "
            "(nothing was compared)",
        ),
        (
            "invalid",
            "⚠️ invalid: the evidence about `basic` cannot be judged (nothing was compared)",
        ),
    ],
)
def test_a_version_that_was_judged_alone_has_a_verdict(template, outcome, sentence):
    version = evaluation({"a": 1.0})
    judged = verdict(version, outcome, [finding("no case fails", outcome)], reason="as it is")
    report = render(conclusion(version, outcome=outcome, verdicts=[judged]), template=template)

    assert lines(report)[1] == f"### {sentence}"
    assert "as it is" in report
    if template == "pull_request":
        assert row(report, "no case fails")[2].endswith(outcome)
        assert "**as it is** · gate `release`\n" in report


def test_several_versions_that_were_judged_alone_are_counted():
    versions = [evaluation({"a": 0.5}, variant=f"v{n}") for n in range(3)]
    verdicts = [
        verdict(version, outcome, [finding(outcome=outcome)])
        for version, outcome in zip(versions, ("pass", "fail", "fail"), strict=True)
    ]
    told = replace(
        conclusion(*versions, outcome="fail", verdicts=verdicts),
        baseline="",
        comparisons=(),
        best="",
    )

    assert lines(render(told))[1] == (
        "### ❌ fail: 2 of 3 versions fail gate `release`; 1 passes (nothing was compared)"
    )


def test_versions_that_all_pass_alone_are_told_so():
    versions = [evaluation({"a": 0.5}, variant=f"v{n}") for n in range(2)]
    verdicts = [verdict(version, "pass", [finding()]) for version in versions]
    told = replace(conclusion(*versions, verdicts=verdicts), baseline="", comparisons=(), best="")

    assert lines(render(told))[1] == (
        "### ✅ pass: both versions pass gate `release` (nothing was compared)"
    )


def test_a_gate_without_rules_decides_nothing():
    """Compared is not approved."""
    sides = evaluation({"a": 1.0}), evaluation({"a": 1.0}, variant="empathetic")
    report = render(conclusion(*sides, findings=[], gate="none", reason="The gate has no rule."))

    assert lines(report)[1] == (
        "### compared `empathetic` with `basic`, nothing decided: gate `none` has no rule"
    )
    assert "pass" not in report.partition("Reproduce")[0]
    assert "Verdict" not in report


def cut(version, case_ids):
    """The version with the answers to these cases cut at the token limit."""
    results = (replace(r, finish="length") if r.case_id in case_ids else r for r in version.results)
    return replace(version, results=tuple(results))


def test_answers_cut_at_the_token_limit_are_named_as_a_cause():
    """One that was cut and did not get worse is no cause; half of them are not most."""
    baseline = evaluation(dict.fromkeys("abcdef", 1.0))
    worse = evaluation(dict.fromkeys("abcd", 0.0) | {"e": 0.5, "f": 1.0}, variant="empathetic")

    most = render(conclusion(baseline, cut(worse, "abcdf"), outcome="fail"))
    some = render(conclusion(baseline, cut(worse, "abf"), outcome="fail"))

    assert "4 of the 5 cases that got worse were cut at `max_tokens`.\n" in most
    assert most.index("max_tokens") < most.index("5 cases got worse")
    assert "max_tokens" not in some


def test_latency_says_how_many_failed_answers_it_leaves_out():
    """A version whose slow answers timed out must not look fast."""
    sides = evaluation({"a": 1.0, "b": 1.0}), evaluation({"a": 1.0, "b": "late"}, variant="new")
    report = render(conclusion(*sides, outcome="fail"))

    assert "| 0.5 / 0.5 / 0.5, without 1 failed |" in report
    assert report.count("without 1 failed") == 1


def test_next_steps_and_alerts_stand_under_the_verdict():
    """One sentence, one number, one next step, before any table."""
    sides = (
        evaluation({"a": 1.0}, more={"brief": {"a": brief}}, variant=variant)
        for variant, brief in [("basic", 1.0), ("empathetic", 0.883)]
    )
    baseline, candidate = sides
    found = [finding(), finding("brief rule", metric="brief", alert="loss", estimate=-0.117)]
    judged = verdict(
        candidate, "pass", found, "polite holds", rollout=0.25, alert="loss", look=2, n_cases=1
    )
    report = render(conclusion(baseline, candidate, verdicts=[judged], looks=5))

    assert report.split("\n\n|")[0] == (
        "<!-- vcmp:report app/support/release -->\n"
        "### ✅ pass: `empathetic` may ship\n\n"
        "**polite holds (decided at look 2 of 5, on 1 case)** · gate `release` · baseline `basic`\n"
        "\n"
        "**Next**: start with 25 % of the users.\n\n"
        "⚠️ **alert**: certainly worse than the baseline on `brief` (−0.117), within the margin\n"
    ).rstrip("\n")
    assert row(report, "**Verdict**")[2] == "✅ **pass**, ⚠️ certain loss"


def test_a_command_to_be_pasted_is_a_block_of_its_own():
    sides = evaluation({"a": 1.0}), evaluation({"a": 0.0}, variant="empathetic")
    found = finding(outcome="inconclusive", needed_cases=42, needed_repeats=4)
    report = render(conclusion(*sides, outcome="inconclusive", findings=[found]))

    assert "```sh\npython -m vcmp agent=empathetic,basic --multirun repeats=4\n```\n" in report


def test_several_candidates_have_a_next_step_each():
    baseline, good, bad = (evaluation({"a": n}, variant=v) for v, n in
                           [("basic", 0.5), ("concise", 0.9), ("empathetic", 0.1)])  # fmt: skip
    undecided = finding(outcome="inconclusive", needed_cases=42, needed_repeats=4)
    verdicts = [
        verdict(good, "pass", [finding()], "polite rose", rollout=0.5),
        verdict(bad, "inconclusive", [undecided], "polite fell?", look=5),
    ]
    told = conclusion(
        baseline, good, bad, outcome="inconclusive", verdicts=verdicts, looks=5, command="x"
    )

    assert (
        "- ✅ **pass** `concise`: polite rose\n"
        "  **Next**: nothing ships unless every candidate passes; to have the best one chosen set "
        "select: best_passing in the gate.\n"
        "- ⚠️ **inconclusive** `empathetic`: polite fell? (look 5 of 5, on 1 case)\n"
        "  **Next**: run it with 4 repeats, or add 41 cases to `support` (42 in all). "
        "That decides in 4 of 5 runs if it goes on like this.\n"
        "  `x repeats=4`\n"
    ) in render(told)


def test_the_rule_that_the_verdict_tells_is_not_told_again():
    """With one rule there is no table; of several, the others stand in it."""
    sides = evaluation({"a": 1.0}), evaluation({"a": 0.0}, variant="empathetic")
    found = finding("polite >= 0.80", "fail", observed="0.00 over 1 case")
    others = [finding("no case fails", observed="none failed", against="app-pinned-git-1")]
    reason = "polite >= 0.80 does not hold: 0.00 over 1 case."
    one = render(conclusion(*sides, outcome="fail", findings=[found], reason=reason))
    two = render(conclusion(*sides, outcome="fail", findings=[found, *others], reason=reason))

    assert one.count("0.00 over 1 case") == two.count("0.00 over 1 case") == 1
    assert "Why it failed" not in one
    assert "<details><summary>The other rules hold</summary>" in two
    assert row(two, "no case fails")[0] == "no case fails, against `app-pinned-git-1`"


def test_a_rule_that_does_not_count_says_so_instead_of_an_outcome():
    tail = finding("latency_s/p95", "inconclusive", metric="latency_s", report_only=True)
    told = conclusion(
        evaluation({"a": 1.0}), evaluation({"a": 0.9}, variant="empathetic"),
        findings=[finding(), tail], reason="polite >= 0.80 holds: 0.91.",
    )  # fmt: skip

    text = render(told)

    assert "<details><summary>The other rules hold</summary>" in text
    assert "| report only |" in text
    assert "inconclusive" not in text


def test_other_rules_that_do_not_hold_are_not_folded():
    sides = evaluation({"a": 1.0}), evaluation({"a": 0.0}, variant="empathetic")
    found = [finding("first", "fail"), finding("second", "fail", advice="Mend it.")]
    report = render(conclusion(*sides, outcome="fail", findings=found, reason="first fails"))

    assert "\n**The other rules**\n\n| rule | observed | outcome | what to do |" in report
    assert row(report, "second")[3] == "Mend it."


def test_a_loss_that_stands_out_among_the_tags_is_marked():
    """Told where the table is folded, with what the mark means."""
    cases = [Case(id=str(n), inputs={}, tags=("billing",) if n < 4 else ()) for n in range(8)]
    before = {case.id: 1.0 for case in cases}
    after = before | {"0": 0.0, "1": 0.0, "2": 0.0, "3": 0.1}
    sides = (
        evaluation(before, more={"brief": scores}, cases=cases, variant=variant)
        for variant, scores in [("basic", before), ("empathetic", after)]
    )
    report = render(conclusion(*sides))

    assert "By tag: <code>polite</code>, 1 loss stands out</summary>" in report
    assert row(report, "`billing` |")[2] == "1.000 → 1.000 (0.000: 0.000 to 0.000)"
    assert row(report, "`billing`, `brief`")[2] == (
        "1.000 → 0.025 (−0.975: −1.024 to −0.926) ⚠️ stands out"
    )
    assert "(false discovery rate 10 %)" in report


def test_without_a_baseline_tags_have_means_alone():
    cases = [Case(id="a", inputs={}, tags=("billing",))]

    assert row(render(conclusion(evaluation({"a": 0.5}, cases=cases))), "`billing`") == [
        *("`billing`", "1", "0.500"),
    ]


def test_the_position_bias_of_a_pairwise_judge_is_told():
    sides = evaluation({"a": 1.0}), evaluation({"a": 0.0}, variant="empathetic")
    told = conclusion(*sides, outcome="fail")
    judged = replace(told.comparisons[0], swayed={"preferred": 0.12})
    report = render(replace(told, comparisons=(judged,)))

    assert (
        "- `preferred`: the order of the answers decided 12 % of its judgements (told as ties).\n"
    ) in report


def test_candidates_that_share_alpha_are_told_so():
    """More candidates are more chances to pass by luck, and the reader asks about it."""
    told = several("pass", "fail", outcome="pass")
    report = render(told)

    assert lines(report)[1] == (
        "### ✅ pass: `v0` may ship, the only one of 2 candidates that passes (they share alpha)"
    )
    assert "- The 2 candidates share alpha: " in report
    assert "share alpha" not in render(failing())


def test_of_several_that_pass_the_best_is_the_one_to_ship():
    assert "`v0` may ship, the best of the 2 that pass among 3 candidates" in render(
        several("pass", "pass", "fail", outcome="pass")
    )


def test_a_pairwise_judge_has_a_row_though_no_version_has_its_scores():
    """Its scores are about a pair: the baseline has a tie with itself."""
    told = conclusion(evaluation({"a": 1.0}), evaluation({"a": 1.0}, variant="empathetic"))
    compared = told.comparisons[0]
    means = {"baseline": 0.5, "candidate": 0.7, "difference": 0.2, "improved": 1}
    preferred = replace(compared.deltas["polite"], metric="preferred", **means)
    scores = {"preferred": {"a": 1.0}}
    compared = replace(
        compared,
        candidate=evaluation(
            {"a": 1.0},
            more=scores,
            judges=["preferred"],
            variant="empathetic",
            answerer=SCRIPTED,
        ),
        deltas={**compared.deltas, "preferred": preferred},
    )
    report = render(replace(told, comparisons=(compared,)))

    assert row(report, "`preferred`") == [
        *("`preferred` (scripted judge)", "0.500", "0.700 (+0.200)"),
    ]


@pytest.mark.parametrize("template", ["pull_request", "summary"])
def test_scores_from_a_table_make_a_report_without_counts(template):
    """What nobody knows is not made up: failures, configurations, commits."""
    cases = [Case(id=i, inputs={"question": i}, tags=("billing",)) for i in "ab"]
    sides = (
        evaluation({"a": n, "b": 1.0}, cases=cases, variant=v)
        for v, n in [("basic", 1.0), ("empathetic", 0.0)]
    )
    report = render(table(conclusion(*sides, outcome="fail")), template=template)

    assert row(report, " |")[1:] == ["`basic` (baseline)", "`empathetic`"]
    assert row(report, "`polite`") == ["`polite`", "1.000", "0.500 (−0.500) ❌ fail"]
    assert "**Next**: read the case that got worse in `polite`: `a`." in report
    for word in (
        "Failed",
        "0 failed",
        "A failed case",
        "outside git",
        "configuration of",
        "*empty*",
    ):
        assert word not in report
    if template == "pull_request":
        assert "**`a`** · `polite` 1 → 0\n" in report
        assert "- Scores from scores.csv: 2 cases. Answers, errors and configurations" in report


def test_a_difference_on_part_of_the_cases_says_on_how_many():
    """A candidate that was stopped early stands beside one that was not."""
    told = conclusion(
        evaluation({"a": 1.0, "b": 1.0}), evaluation({"a": 0.5, "b": 1.0}, variant="empathetic")
    )
    early = replace(told.comparisons[0], n_cases=1)
    report = render(replace(told, comparisons=(early,)))

    assert row(report, "`polite`")[2] == "0.750 (−0.250 on 1 case)"
