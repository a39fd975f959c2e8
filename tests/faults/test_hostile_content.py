"""What agents, judges and datasets write stays text, in every file and on every screen."""

import csv
import io
import json
from functools import cache
from xml.etree import ElementTree

import pytest

from tests.faults.documents import Document, of_html, of_markdown
from tests.faults.hostile import WRITTEN, conclusion_of, generated
from vcmp import reports, results, tables
from vcmp.console import make_console
from vcmp.display import visible
from vcmp.types import Conclusion

N_PARTS = 5
HARMLESS = conclusion_of("plain~", "plain~")
HIDDEN = {chr(code) for code in (*range(32), *range(0x7F, 0xA0), 0x2028, 0x2029)} - set("\n\t")

each_written = pytest.mark.parametrize("text", WRITTEN)
each_part = pytest.mark.parametrize("part", range(N_PARTS))


def told(part: int) -> list[Conclusion]:
    return [conclusion_of(*pair) for pair in generated(part, N_PARTS)]


@cache
def harmless_pages(template: str) -> tuple[Document, Document]:
    report = reports.render(HARMLESS, template=template)
    return of_markdown(report), of_html(reports.webpage(HARMLESS, report))


def check_pages(conclusion: Conclusion, template: str) -> None:
    """Markdown and HTML have the elements, comments and text of a harmless report."""
    report = reports.render(conclusion, template=template)
    pages = of_markdown(report), of_html(reports.webpage(conclusion, report))

    assert HIDDEN.isdisjoint(report)
    for page, harmless in zip(pages, harmless_pages(template), strict=True):
        assert page.elements == harmless.elements
        assert page.text == harmless.text
        assert page.comments == harmless.comments
        assert {tag for _, (tag, _) in page.elements} & {"a", "img", "script", "iframe"} == set()


@pytest.mark.parametrize("template", ["pull_request", "summary"])
@each_written
def test_no_text_changes_the_structure_of_a_report(text, template):
    """No heading, link, image, mention or comment, whether GitHub or a browser shows it."""
    check_pages(conclusion_of(text, text), template)


@each_part
def test_none_of_a_thousand_generated_texts_changes_the_structure_of_a_report(part):
    for conclusion in told(part):
        check_pages(conclusion, "pull_request")


def check_junit(conclusion: Conclusion) -> None:
    """The file is XML with the elements of a harmless one; names are there, made visible."""
    parsed, harmless = (
        ElementTree.fromstring(reports.junit(each).encode()) for each in (conclusion, HARMLESS)
    )
    names = {case.get("name") for case in parsed.iter("testcase")}

    assert [element.tag for element in parsed.iter()] == [e.tag for e in harmless.iter()]
    for case in conclusion.evaluations[0].dataset.cases:
        assert visible(case.id.replace("\r\n", "\n"), keep="\n\t") in names


def check_numbers(conclusion: Conclusion) -> None:
    """verdict.json and scores.csv hold what there is; a spreadsheet finds no formula."""
    document = json.loads(reports.verdict_json(conclusion))
    rows = list(csv.reader(io.StringIO(tables.scores_csv(conclusion), newline="")))
    cells = {cell for row in rows[1:] for cell in row[:6]}

    assert document["gate"] == conclusion.gate
    assert {len(row) for row in rows} == {len(tables.COLUMNS)}
    assert [cell for cell in cells if cell[:1] in set("=+-@\t\r\n＝＋－＠")] == []


def check_screen(conclusion: Conclusion, capsys: pytest.CaptureFixture[str]) -> None:
    """As many lines as a harmless one has, and none of them is a command."""
    reports.screen(HARMLESS, make_console())
    harmless = capsys.readouterr().out
    reports.screen(conclusion, make_console())
    said = capsys.readouterr().out

    assert said.count("\n") == harmless.count("\n")
    assert HIDDEN.isdisjoint(said)
    check_log(said)


def check_log(log: str) -> None:
    """Nothing that GitHub's runner, Azure's or TeamCity take for a command of theirs."""
    plain = log.replace("\u200d", "")  # which GitHub's runner does not see

    assert [line for line in plain.splitlines() if line.lstrip().startswith("::")] == []
    assert not any(f"##{command}[" in plain for command in ("", "vso", "teamcity"))


def check_files(conclusion: Conclusion, folder) -> None:
    for side in conclusion.evaluations:
        results.save(side, folder)
        assert results.load(folder) == side


@each_written
def test_every_other_file_and_the_screen_hold_every_text(text, tmp_path, capsys):
    conclusion = conclusion_of(text, text)

    check_junit(conclusion)
    check_numbers(conclusion)
    check_screen(conclusion, capsys)
    check_files(conclusion, tmp_path)


@each_part
def test_every_other_file_and_the_screen_hold_a_thousand_generated_texts(part, tmp_path, capsys):
    for conclusion in told(part):
        check_junit(conclusion)
        check_numbers(conclusion)
        check_screen(conclusion, capsys)
        check_files(conclusion, tmp_path)
