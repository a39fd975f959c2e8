"""`report.html`: the report as a page that needs nothing else, made from its Markdown.

The page has no script and asks for nothing; its policy forbids both, should anything slip in. Of
the HTML in the Markdown only the few elements that reports use are kept, without attributes, so
that a template of a project's own cannot let data in either.
"""

import base64
import hashlib
import html
import re
from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from vcmp.reports.lookups import is_decided
from vcmp.types import Conclusion

STYLE = Path(__file__).parent / "templates/report.css"
KEPT = "br|code|del|details|em|hr|ins|kbd|p|s|strong|sub|summary|sup"
"""Elements of HTML that a template may use."""
_MARKUP = re.compile(rf"<!--.*?-->|(</?(?:{KEPT})>|<details open>)", re.DOTALL)
_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main class="{outcome}">
{body}</main>
</body>
</html>
"""

Rule = Callable[[RendererHTML, Sequence[Token], int, OptionsDict, EnvType], str]


def webpage(conclusion: Conclusion, markdown: str) -> str:
    """The page of a report; equal bytes for an equal report.

    Args:
        conclusion: Its outcome colours the page.
        markdown: The report, as `render` gives it.
    """
    style = STYLE.read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    tokens = _parser().parse(markdown)
    _raise_headings(tokens)
    return _PAGE.format(
        policy=policy,
        title=html.escape(_title(tokens)),
        style=style,
        outcome=conclusion.outcome if is_decided(conclusion) else "undecided",
        body=_parser().renderer.render(tokens, _parser().options, {}),
    )


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    for name, rule in _RULES.items():
        parser.add_render_rule(name, rule)
    return parser


def _raise_headings(tokens: Sequence[Token]) -> None:
    """A comment begins with a small heading, a page with its largest."""
    headings = [token for token in tokens if token.type in ("heading_open", "heading_close")]
    top = min((int(token.tag[1]) for token in headings), default=1)
    for token in headings:
        token.tag = f"h{int(token.tag[1]) - top + 1}"


def _title(tokens: Sequence[Token]) -> str:
    """The first heading, as plain text."""
    for token, content in pairwise(tokens):
        if token.type == "heading_open":
            return "".join(child.content for child in content.children or ())
    return "report"


def _own_markup(
    _self: RendererHTML, tokens: Sequence[Token], place: int, _options: OptionsDict, _env: EnvType
) -> str:
    """HTML with the elements that are kept; all else becomes text, comments nothing."""
    parts = _MARKUP.split(tokens[place].content)  # text and kept markup by turns
    return "".join(
        (part or "") if n % 2 else html.escape(html.unescape(part), quote=False)
        for n, part in enumerate(parts)
    )


def _fence(
    _self: RendererHTML, tokens: Sequence[Token], place: int, _options: OptionsDict, _env: EnvType
) -> str:
    """A block of code; the lines of a difference say which side they are from."""
    lines = html.escape(tokens[place].content, quote=False).removesuffix("\n").split("\n")
    if tokens[place].info == "diff":
        lines = [_SIDES.get(line[:1], "{}").format(line) for line in lines]
    return "<pre><code>" + "\n".join(lines) + "\n</code></pre>\n"


_SIDES = {"+": "<ins>{}</ins>", "-": "<del>{}</del>"}


def _cell(
    self: RendererHTML, tokens: Sequence[Token], place: int, options: OptionsDict, env: EnvType
) -> str:
    """A cell, aligned by a class: the policy of the page forbids styles of elements."""
    token = tokens[place]
    style = str(token.attrs.pop("style", ""))
    if style:
        token.attrs["class"] = style.removeprefix("text-align:")
    return self.renderToken(tokens, place, options, env)


_RULES: dict[str, Rule] = {
    "html_block": _own_markup,
    "html_inline": _own_markup,
    "fence": _fence,
    "th_open": _cell,
    "td_open": _cell,
    "table_open": lambda *_: '<div class="table"><table>\n',
    "table_close": lambda *_: "</table></div>\n",
}
