"""What README and docs/ show is there, reads as what it claims to be, and runs."""

import inspect
import re
import shlex
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.conftest import ROOT, Run, start_vcmp
from vcmp import gates, judges, scorers
from vcmp.targets import locate

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@dataclass(frozen=True)
class Block:
    """A fenced block: a file, when its first line is a comment that begins with the path."""

    page: str
    language: str
    text: str

    @property
    def path(self) -> str:
        named = re.match(r"# ([\w./-]+/[\w-]+\.\w+)\b", self.text)
        return named[1] if named else ""


def tokens(page: Path) -> Iterator[Token]:
    for token in MarkdownIt("commonmark").parse(page.read_text(encoding="utf-8")):
        yield token
        yield from token.children or ()


def blocks(*languages: str) -> list[Block]:
    return [
        Block(page.name, token.info, token.content)
        for page in PAGES
        for token in tokens(page)
        if token.type == "fence" and token.info in languages
    ]


def files() -> dict[str, str]:
    """By path, the files that docs/ tells to write into a project; README's are cut short."""
    shown = [block for block in blocks("python", "yaml") if block.page != "README.md"]
    return {block.path: block.text for block in shown if block.path.startswith(("agents", "conf"))}


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every mapping with a `_target_` in a YAML document."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in inner:
        yield from nodes(item)
    if isinstance(value, dict) and "_target_" in value:
        yield value


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to a page's headings."""
    pairs = pairwise(tokens(page))
    headings = (text.content.lower() for opened, text in pairs if opened.type == "heading_open")
    return {re.sub(r"[^\w -]", "", heading).replace(" ", "-") for heading in headings}


def commands() -> Iterator[tuple[str, list[str]]]:
    """The page and the arguments of each vcmp command in an indented block."""
    for page in PAGES:
        code = "".join(token.content for token in tokens(page) if token.type == "code_block")
        for line in code.splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] == ["vcmp"] or words[:3] == ["python", "-m", "vcmp"]:
                yield page.name, words


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file(page: Path):
    """And to a heading, where it names one."""
    links = [token.attrGet("href") for token in tokens(page) if token.type == "link_open"]
    for link in map(str, links):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("block", blocks("yaml"), ids=lambda block: f"{block.page} {block.path}")
def test_yaml_parses(block: Block):
    assert yaml.safe_load(block.text)


@pytest.mark.parametrize("block", blocks("python"), ids=lambda block: f"{block.page} {block.path}")
def test_python_compiles(block: Block):
    assert compile(block.text, block.page, "exec").co_code


def test_every_target_exists_and_takes_what_it_is_given():
    """In the project, in a file that docs/ shows, in vcmp, or in MLflow."""
    shown = files()
    for block in blocks("yaml"):
        for node in nodes(yaml.safe_load(block.text)):
            module, _, name = node["_target_"].rpartition(".")
            source = shown.get(f"{module.replace('.', '/')}.py")
            if source:
                assert re.search(rf"^(class|def) {name}\b", source, re.MULTILINE), node
                continue
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of MLflow's own imports
                target = locate(node["_target_"], block.page)
            if not node["_target_"].startswith("mlflow."):
                given = {key for key in node if not key.startswith("_")} - {
                    "prompt_values",
                    "canary",
                }
                assert given <= inspect.signature(target).parameters.keys(), node


@pytest.mark.parametrize(
    ("module", "page"), [(gates, "gates.md"), (scorers, "scorers.md"), (judges, "scorers.md")]
)
def test_every_rule_and_scorer_is_described(module: Any, page: str):
    """What a table leaves out does not exist for its readers."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    public = [name for name in module.__all__ if inspect.isclass(getattr(module, name))]
    wanted = [name for name in public if name not in ("Policy", "Rule")]  # what a file in gate/ is

    assert [name for name in wanted if not re.search(rf"\b{name}`", text)] == []


def test_commands_name_choices_that_exist():
    """In the sample project, or in a file that docs/ shows."""
    groups = {path.name for path in (ROOT / "conf").iterdir() if path.is_dir()}
    shown = files()
    for page, words in commands():
        for word in words:
            group, _, choices = word.partition("=")
            for choice in choices.strip("[]").split(",") if group in groups and choices else ():
                path = f"conf/{group}/{choice}.yaml"
                assert path in shown or (ROOT / path).is_file(), f"{page}: {word}"


@pytest.mark.usefixtures("stored")
def test_what_the_pages_show_runs(project: Path, vcmp: Run):
    """Their agents, scorers and gates in one sweep; MLflow's analysis on what it recorded."""
    for path, text in files().items():
        (project / path).write_text(text, encoding="utf-8")
    (project / "conf/scorers/shown.yaml").write_text("defaults: [mine, graded]", encoding="utf-8")
    (script,) = (b.text for b in blocks("python") if "search_logged_models" in b.text)

    swept = vcmp("agent=empathetic,basic,brief,branded", "scorers=shown", "gate=covered",
                 "dataset.limit=5", "-m")  # fmt: skip
    analysed = start_vcmp(project, code=script).complete(100)

    assert swept.returncode == 3, swept.stderr  # five cases decide nothing
    assert "at least 50 cases" in swept.stdout
    assert analysed.returncode == 0, analysed.stderr
    for text in ("best by empathy/mean: customer_support_agent-empathetic-", "max_tokens: '100'",
                 "mentions_facts/mean", "5 traces, 0 failed", "by the means: deploy",
                 "by the gate:  inconclusive"):  # fmt: skip
        assert text in analysed.stdout


def test_every_test_that_the_matrix_of_faults_names_is_there():
    text = (ROOT / "docs/reliability.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text)

    assert len(named) > 80
    for path, name in named:
        code = (ROOT / path).read_text(encoding="utf-8")
        assert re.search(rf"^(async )?def {name}\(", code, re.MULTILINE), f"{path}::{name}"


def test_every_file_of_fault_tests_is_in_the_matrix():
    text = (ROOT / "docs/reliability.md").read_text(encoding="utf-8")

    for path in (ROOT / "tests/faults").glob("test_*.py"):
        assert f"`tests/faults/{path.name}::" in text
