"""Text that an agent, a judge or a dataset wrote, made harmless for Markdown and HTML.

It may hold back-ticks, pipes, tags, `@team`, `fixes #12` or characters that turn the line round.
Inside inline code or a fence that is longer than any run of back-ticks in it, GitHub acts on none
of them. Everything is cut first, so that an output of 10 MB costs no more than one of 10 kB.
"""

import html
import re
from collections.abc import Sequence

from vcmp.display import visible

_HARMLESS = re.compile(r"""[\w ,.;:()%+=<>/'"!?−–—…×±≥≤≈→-]*""")
_MEANT = re.compile(
    r"""<[^ =]|<$ | https?:|ftp:|www\. | :[\w+-]+: | GH-\d | (?<!\w)_|_(?!\w)""", re.VERBOSE | re.I
)
"""What GitHub would act on even though each of its characters is harmless."""


def cut(text: str, limit: int) -> str:
    """The first `limit` characters of `text`, and how many more there were."""
    more = len(text) - limit
    return text if more <= 0 else f"{text[:limit]}… ({more:,} more characters)"


def one_line(text: object, limit: int = 160) -> str:
    """`text` on one line, cut, with nothing hidden in it."""
    return visible(cut(str(text).strip("\n"), limit).replace("\r\n", "\n"))


def inline(text: object, limit: int = 160) -> str:
    """`text` as inline code that it cannot break out of."""
    shown = one_line(text, limit)
    if not shown:
        return "*empty*"
    fence = "`" * (_longest_run(shown) + 1)
    edges = shown[0] + shown[-1]
    pad = " " if "`" in edges or (edges == "  " and shown.strip()) else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def code(text: object, limit: int = 160) -> str:
    """`text` as HTML, for places where Markdown is not read, such as `<summary>`."""
    return f"<code>{html.escape(one_line(text, limit))}</code>"


def prose(text: object, limit: int = 600) -> str:
    """A sentence that vcmp wrote round names and numbers; inline code if anything in it could act.

    Names with an underscore in them are set as code.
    """
    shown = one_line(text, limit)
    if not _HARMLESS.fullmatch(shown) or _MEANT.search(shown):
        return inline(text, limit)
    return re.sub(r"\w+_\w+(/\w+)?", lambda found: f"`{found[0]}`", shown)


def fenced(text: str, language: str = "text", limit: int = 4_000, n_lines: int = 80) -> str:
    """`text` as a code block that it cannot break out of."""
    lines = cut(text, limit).replace("\r\n", "\n").rstrip("\n").split("\n")
    if len(lines) > n_lines:
        lines = [*lines[:n_lines], f"… ({len(lines) - n_lines:,} more lines)"]
    shown = visible("\n".join(lines), keep="\n\t")
    fence = "`" * max(3, _longest_run(shown) + 1)
    return f"{fence}{language}\n{shown}\n{fence}"


def table(rows: Sequence[Sequence[str]], align: str = "--:") -> str:
    """Cells of Markdown as a table: the first row is its head, the first column its labels."""
    escaped = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    lines = [f"| {' | '.join(row)} |" for row in escaped]
    return "\n".join([lines[0], f"|:--|{f'{align}|' * (len(rows[0]) - 1)}", *lines[1:]])


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)
