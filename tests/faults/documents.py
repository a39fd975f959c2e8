"""What a reader makes of a report: the elements of its HTML, and the text outside of code."""

import re
from html.parser import HTMLParser

import cmarkgfm
from cmarkgfm.cmark import Options

VOID = {"br", "hr", "meta"}
Element = tuple[str, tuple[tuple[str, str | None], ...]]


def of_markdown(markdown: str) -> "Document":
    """A report as GitHub parses it, HTML included."""
    html = cmarkgfm.github_flavored_markdown_to_html(markdown, Options.CMARK_OPT_UNSAFE)
    return of_html(html)


def of_html(html: str) -> "Document":
    document = Document()
    document.feed(html)
    document.close()
    assert document.open == []
    return document


class Document(HTMLParser):
    """Elements in order, with their attributes and depth, and the text that is outside of code.

    What is inside code may differ from document to document, but holds no element other than the
    marks of a difference's lines. Numbers are not compared.
    """

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[int, Element]] = []
        self.text: list[str] = [""]
        self.code: list[str] = []
        self.comments: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if "code" in self.open:
            assert (tag, attrs) in [("ins", []), ("del", [])]
            assert "pre" in self.open
        else:
            self.elements.append((len(self.open), (tag, tuple(attrs))))
            self.text.append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        if "code" not in self.open:
            self.text.append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in VOID
        self.handle_starttag(tag, attrs)

    def handle_data(self, data: str) -> None:
        if "code" in self.open:
            self.code.append(data)
        elif "title" not in self.open:
            self.text[-1] += re.sub(r"\d[\d.,]*", "0", data)

    def handle_comment(self, data: str) -> None:
        self.comments.append(re.sub("[A-Za-z0-9_-]+", "x", data))

    def handle_decl(self, decl: str) -> None:
        assert decl == "doctype html"

    def handle_pi(self, data: str) -> None:
        raise AssertionError(data)

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(data)
