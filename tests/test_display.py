"""Nothing that is printed is obeyed by a terminal or by a CI system."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vcmp.console import make_console
from vcmp.display import printable, visible
from vcmp.outlets import close_outlets, guard_outlets

COMMANDS = [
    ("::add-mask::x", ": :add-mask::x"),
    ("  ::set-output name=a::b", "  : :set-output name=a::b"),
    ("\u3000::error::x", "\u3000: :error::x"),
    ("text\n::add-mask::x", "text\n: :add-mask::x"),
    ("text\r::add-mask::x", "text␍::add-mask::x"),
    ("text\u2028::add-mask::x", "text⟨U+2028⟩::add-mask::x"),
    (":\u200d:add-mask::x", ": \u200d:add-mask::x"),
    ("##[group]x", "## [group]x"),
    ("text ##[group]x", "text ## [group]x"),
    ("#\u200d#[group]x", "#\u200d# [group]x"),
    ("##vso[task.setvariable]x", "## vso[task.setvariable]x"),
    ("##teamcity[buildStop]", "## teamcity[buildStop]"),
]
ALPHABET = "::##[]\n\r\t \x0b\x0c\x1b\x1c\x85\u2028\u200dax"


@pytest.mark.parametrize(("text", "shown"), COMMANDS)
def test_a_command_of_a_ci_system_is_none_any_more(text, shown):
    """GitHub's runner skips white space before `::`, and finds `##[` anywhere in a line."""
    assert printable(text) == shown


def test_what_is_no_command_is_printed_as_it_is():
    text = "vcmp: conf/gate/x.yaml: a::b\n  ### [1], # [2], 10:30"

    assert printable(text) == text


@given(st.text(alphabet=ALPHABET, max_size=40))
def test_no_line_is_a_command_whatever_is_printed(text):
    lines = printable(text).replace("\u200d", "").split("\n")

    assert not any(line.lstrip().startswith("::") or "##[" in line for line in lines)
    assert set(printable(text)) & set("\r\t\x0b\x0c\x1b\x1c\x85\u2028") == set()
    assert printable(printable(text)) == printable(text)


def test_printing_a_long_run_takes_no_long_time():
    """10 MB of line feeds or colons: one pass."""
    for text in ("\n", " ", ":", "#", "\u200d"):
        assert len(printable(text * 1_000_000)) >= 1_000_000


def test_half_characters_and_non_characters_can_be_encoded():
    assert visible("a\ud800\uffffb") == "a⟨U+D800⟩⟨U+FFFF⟩b"
    assert visible("a\nb\x00", keep="\n") == "a\nb␀"


def test_the_screen_prints_nothing_else(capsys):
    """Tables and styled texts, too."""
    from rich.table import Table
    from rich.text import Text

    console, table = make_console(), Table("::head::", box=None, pad_edge=False)
    table.add_row("##[group]\x1b[31m")
    console.print("note: a\r::add-mask::x\n::add-mask::y", markup=False)
    console.print(Text.assemble("  ", ("::error::x", "bold")))
    console.print(table)

    said = capsys.readouterr().out
    assert said.splitlines()[:3] == ["note: a::add-mask::x", ": :add-mask::y", "  : :error::x"]
    assert "##[" not in said
    assert "\x1b" not in said


def test_a_log_gets_nothing_else_whoever_writes(capfd, monkeypatch):
    """An agent's prints and a traceback's lines, piece by piece, whatever the encoding."""
    with open(1, "w", encoding="ascii", closefd=False) as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        monkeypatch.setattr(sys, "stderr", None)
        guard_outlets()
        print("é\r::add-mask::", "\ud800", sep="", flush=True)
        close_outlets()

    assert capfd.readouterr().out == "\\xe9\n: :add-mask::\\u27e8U+D800\\u27e9\n"
