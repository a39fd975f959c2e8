"""Text from agents, judges and datasets stays inside its code span, cell or fence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from vcmp.reports.text import code, cut, fenced, inline, one_line, prose, table

MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])

HOSTILE = [
    "`EVIL`",
    "``EVIL``` `",
    "`",
    "```\nEVIL\n```",
    "````\n# EVIL\n````",
    "~~~\n# EVIL",
    "EVIL | cell | more |",
    "EVIL \\| cell",
    "EVIL \\\\| cell",
    "EVIL`|`cell",
    "|:--|--:|\n| EVIL | b |",
    "\n\n# EVIL\n\n",
    "EVIL\r# heading",
    "EVIL\r\n\r\n> quote",
    "- EVIL\n- list",
    "1. EVIL",
    "[EVIL](https://example.org)",
    "![EVIL](https://example.org/x.png)",
    "[EVIL]: https://example.org",
    "<script>EVIL</script>",
    "</details><h1>EVIL</h1>",
    "</code></summary><b>EVIL",
    "<!-- EVIL",
    "--> EVIL <!--",
    "<img src=x onerror=EVIL>",
    "&lt;EVIL&gt; &#96;&#124;",
    "**EVIL** __bold__ ~~gone~~",
    "@EVIL-team please look",
    "fixes #12 EVIL, GH-7",
    "https://example.org/EVIL www.example.org",
    "$$EVIL$$ :EVIL:",
    "EVIL \u202egnp.exe\u202c",
    "EVIL\x00\x07\x1b[31m",
    "EVIL\u2028line\u2029paragraph\x85next\x0bvertical\x0cform",
    "EVIL \ud800 half",
    " EVIL ",
    "",
    "\\",
    "EVIL ends in a back-slash\\",
]


def structure(markdown: str) -> list[str]:
    """The types of all blocks and of what is in their lines."""
    return [kind for token in MARKDOWN.parse(markdown) for kind in _types(token)]


def _types(token: Token) -> list[str]:
    return [token.type, *(child.type for child in token.children or [])]


def spans(markdown: str) -> list[str]:
    """What stands in code spans."""
    children = (child for token in MARKDOWN.parse(markdown) for child in token.children or [])
    return [child.content for child in children if child.type == "code_inline"]


def in_table(cell: str) -> str:
    return table([["a", "b"], [cell, "x"], ["y", cell]]) + "\n\nafter"


@pytest.mark.parametrize("text", [text for text in HOSTILE if text])
def test_inline_code_in_a_cell_changes_no_structure(text):
    """Two cells, one row each, and the paragraph behind the table stays one."""
    assert structure(in_table(inline(text))) == structure(in_table(inline("plain")))
    assert spans(in_table(inline(text))) == [one_line(text)] * 2


@pytest.mark.parametrize("text", HOSTILE)
def test_a_fence_holds_whatever_is_in_it(text):
    assert structure(f"{fenced(text)}\n\nafter") == structure(f"{fenced('plain')}\n\nafter")


@pytest.mark.parametrize("text", HOSTILE)
def test_a_sentence_with_anything_active_in_it_becomes_code(text):
    """Rules are sentences of ours round names of the user's."""
    after = structure(f"**{prose('plain ' + text)}**\n\nafter")

    assert set(after) <= {
        *("paragraph_open", "paragraph_close", "inline", "text"),
        *("strong_open", "strong_close", "code_inline"),
    }
    assert after.count("paragraph_open") == 2


@pytest.mark.parametrize("text", HOSTILE)
def test_text_in_html_opens_and_closes_nothing(text):
    html = code(text)

    assert html.count("<") == html.count(">") == 2
    assert "\n" not in html


@given(st.text(alphabet=st.sampled_from("`|\\\n\r <>*_[]()#-+@ax\u202e\x00"), max_size=30))
def test_no_combination_of_active_characters_breaks_out(text):
    """What the list of strings forgot."""
    shown = inline(text or "x")
    if shown == "*empty*":
        return
    assert structure(in_table(shown)) == structure(in_table(inline("plain")))
    assert structure(f"{fenced(text)}\n\nafter") == structure(f"{fenced('plain')}\n\nafter")
    assert structure(f"x {prose(text)}\n\nafter").count("paragraph_open") == 2


def test_hidden_characters_are_shown():
    """A reviewer must see what a terminal or browser would obey."""
    assert one_line("a\nb\tc\x1b\u202ed\x7f") == "a↵b c␛⟨U+202E⟩d⟨U+007F⟩"


def test_a_sentence_of_names_and_numbers_stays_readable():
    reason = "support_guidelines lost 0.117 (95 % interval -0.183 to -0.051, 120 cases), < 0.05"

    assert prose(reason) == reason.replace("support_guidelines", "`support_guidelines`")


def test_long_texts_are_cut_and_say_so():
    """10 MB of output must not make a report of 10 MB."""
    assert cut("x" * 1_234, 4) == "xxxx… (1,230 more characters)"
    assert len(inline("x" * 10_000_000)) < 250
    assert "… (920 more lines)" in fenced("x\n" * 1_000)
