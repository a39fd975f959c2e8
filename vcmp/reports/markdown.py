"""The report in Markdown: a template, rendered in a sandbox from the conclusion alone."""

from bisect import bisect_left
from collections.abc import Callable
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from jinja2.sandbox import ImmutableSandboxedEnvironment

from vcmp.errors import ConfigError
from vcmp.reports import text
from vcmp.reports.fitting import removable, shorten
from vcmp.reports.numbers import amount, plural, share
from vcmp.reports.page import Page, compose
from vcmp.reports.words import SIGNS
from vcmp.sandbox import environment, expand
from vcmp.types import Conclusion

PACKAGED = Path(__file__).parent / "templates"
RUNAWAY = 20_000_000
"""Characters after which a template is stopped; reports are shortened long before."""


def render(
    conclusion: Conclusion, *, template: str | Path = "pull_request", limit: int = 60_000
) -> str:
    """Render the report of a sweep.

    The text depends on the conclusion alone: no clock, no random numbers, so that two renders of
    one folder are equal byte for byte. Where it passes `limit`, whole parts are left out in a fixed
    order, and the report says which.

    Args:
        template: A packaged template (`pull_request`, `summary`) or the path of one of your own,
            which is given `page` and `conclusion`, and the filters of `vcmp.reports.text` for
            whatever an agent or a dataset wrote.
        limit: Characters; a comment on GitHub holds 65,536.

    Raises:
        ConfigError: The template is missing or has a mistake.
    """
    fill = _filler(conclusion, template)
    page = compose(conclusion)
    steps = range(len(removable(page)) + 1)
    fits = bisect_left(steps, True, key=lambda n: len(fill(shorten(page, n))) <= limit)
    return _clip(fill(shorten(page, min(fits, steps[-1]))), limit)


def _filler(conclusion: Conclusion, template: str | Path) -> Callable[[Page], str]:
    path = _find(template)
    packaged = path.parent == PACKAGED
    sandbox = _packaged() if packaged else _sandbox(path.parent)

    def fill(page: Page) -> str:
        values = {"page": page, "conclusion": conclusion}
        text = expand(
            sandbox, path.name, values, folder=Path.cwd(), limit=RUNAWAY, confined=not packaged
        )
        return text.strip() + "\n"

    return fill


def _find(template: str | Path) -> Path:
    path = Path(template)
    if path.suffix or len(path.parts) > 1:
        if path.is_file():
            return path
        raise ConfigError(f"report.template {str(template)!r}: no such file")
    packaged = PACKAGED / f"{template}.md.j2"
    if packaged.is_file():
        return packaged
    names = sorted(file.name.removesuffix(".md.j2") for file in PACKAGED.glob("*.md.j2"))
    close = get_close_matches(str(template), names, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise ConfigError(
        f"report.template {str(template)!r}: there is no such template.{hint}\n"
        f"  Choose {', '.join(names)}, or the path of a file of your own."
    )


@cache  # compiling the templates takes far longer than filling them
def _packaged() -> ImmutableSandboxedEnvironment:
    return _sandbox(PACKAGED)


def _sandbox(folder: Path) -> ImmutableSandboxedEnvironment:
    sandbox = environment([folder, PACKAGED])
    names = ("inline", "code", "prose", "fenced", "table")
    sandbox.filters |= {name: getattr(text, name) for name in names}
    sandbox.filters |= {"amount": amount, "plural": plural, "share": share}
    sandbox.globals["signs"] = SIGNS
    return sandbox


def _clip(report: str, limit: int) -> str:
    """Cut what is too long even without its parts, at the end of a line outside of any fence."""
    if len(report) <= limit:
        return report
    note = "\n… (cut here; the rest is in `verdict.json`)\n"
    kept, size, fence, end = [], 0, "", 0
    for line in report[: max(0, limit - len(note))].splitlines(keepends=True)[:-1]:
        mark = line[: len(line) - len(line.lstrip("`"))]
        if len(mark) >= 3 and (not fence or line.strip() == fence):
            fence = "" if fence else mark
        kept.append(line)
        size += len(line)
        if not fence:
            end = len(kept)
    return "".join(kept[:end]) + note
