"""report.html: a page that needs nothing else and lets nothing in."""

import base64
import hashlib
import re

from tests.builders import conclusion, evaluation
from tests.reports.test_markdown import failing
from vcmp.reports import render, webpage


def page(markdown, told=None):
    """What stands between the tags of `main`."""
    html = webpage(told or failing(), markdown)
    return re.search('<main class="[a-z]+">\n(.*)</main>', html, re.DOTALL)[1]


def test_the_page_shows_the_report_and_is_titled_by_its_verdict():
    html = webpage(failing(), render(failing()))

    assert html.startswith("<!doctype html>\n")
    assert "<title>❌ fail: empathetic should not ship</title>" in html
    assert "<h1>❌ fail: <code>empathetic</code> should not ship</h1>" in html
    assert '<main class="fail">' in html


def test_two_pages_of_a_report_are_equal_byte_for_byte():
    assert webpage(failing(), render(failing())) == webpage(failing(), render(failing()))


def test_the_page_asks_for_nothing_and_its_policy_allows_only_its_own_style():
    html = webpage(failing(), render(failing()))
    style = re.search("<style>(.*)</style>", html, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()

    assert f"default-src 'none'; style-src 'sha256-{digest}'" in html
    assert re.findall(r"<script|<link|<img|<iframe|src=|href=|url\(|@import|style=", html) == []


def test_what_was_only_evaluated_has_the_colour_of_no_verdict():
    told = conclusion(evaluation({"a": 1.0}))

    assert '<main class="undecided">' in webpage(told, render(told))


def test_lines_of_a_difference_are_marked_and_those_of_other_code_are_not():
    assert page("```diff\n- <a>\n+ b\n  c\n```") == (
        "<pre><code><del>- &lt;a&gt;</del>\n<ins>+ b</ins>\n  c\n</code></pre>\n"
    )
    assert page("```sh\n- {}\n```") == "<pre><code>- {}\n</code></pre>\n"


def test_a_wide_table_scrolls_in_its_box_and_is_aligned_without_a_style():
    html = page("| a | b |\n|:--|--:|\n| 1 | 2 |")

    assert html.startswith('<div class="table"><table>')
    assert '<th class="left">a</th>' in html
    assert '<td class="right">2</td>' in html


def test_folded_parts_stay_folded_and_comments_are_left_out():
    assert page("<!-- vcmp:report x -->\n<details open><summary>a <code>&lt;b&gt;</code></summary>"
                "\n\n`c`\n\n</details>") == (
        "\n<details open><summary>a <code>&lt;b&gt;</code></summary>\n<p><code>c</code></p>\n"
        "</details>"
    )  # fmt: skip


def test_html_of_a_template_that_reports_do_not_use_is_shown_and_not_obeyed():
    """A project's own template may forget a filter."""
    html = page('<script>x</script>\n\na <img src=x onerror=y> <sub onclick="z">b</sub>')

    assert html == (
        "&lt;script&gt;x&lt;/script&gt;\n"
        '<p>a &lt;img src=x onerror=y&gt; &lt;sub onclick="z"&gt;b</sub></p>\n'
    )


def test_the_largest_heading_of_a_template_is_the_page_s():
    assert page("## a\n\n#### b") == "<h1>a</h1>\n<h3>b</h3>\n"
