"""The floors of vcmp, read from the imports: what may know of what."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "vcmp").rglob("*.py"))

# A name stands for a module or for a whole package.
NOUNS = {
    "calls", "confinement", "descendants", "digests", "display", "errand", "errors", "files",
    "metrics", "nodes", "paths", "sandbox", "secrets", "types",
}  # fmt: skip
STEPS = {
    "agreement", "canaries", "comparison", "datasets", "evaluation", "gates", "judges",
    "preferences", "prompts", "provider", "reports", "results", "scorers", "statistics", "tables",
    "tracking", "versions", "worktree",
}  # fmt: skip
ENTRANCE = {
    "__init__", "__main__", "checking", "cli", "composition", "config", "console", "decisions",
    "directives", "interpolations", "listing", "outlets", "permissions", "places", "policies",
    "progress", "project", "resumption", "screening", "sources", "targets", "variants", "verbs",
    "yardsticks",
}  # fmt: skip
FLOORS = [
    NOUNS,
    STEPS,
    {"baselines", "pairwise", "rehearsal", "testing"},
    {"conclusions", "prospects", "selfcheck"},
    {"looks", "recording"},
    {"pipeline"},
    ENTRANCE,
]
FLOOR = {name: number for number, names in enumerate(FLOORS) for name in names}

# Steps meet in `baselines` and `pipeline` alone, with one exception.
STAND_ON_STATISTICS = {"agreement", "comparison", "gates"}

# The one or two places in which a package of others may be named.
DOORS = {
    "hydra": ENTRANCE,
    "omegaconf": ENTRANCE,
    "mlflow": {"tracking", "scorers.adapters", "scorers.cards"},  # a scorer may be one of MLflow's
    "jinja2": {"sandbox", "reports", "prompts"},
    "markdown_it": {"reports"},
    "openai": {"judges", "provider"},
    "ppi_py": {"agreement"},
    "scipy": {"statistics"},
}

# Each costs from a third of a second to five: a mistake in a config is told without them.
HEAVY = {
    "mlflow", "openai", "scipy", "pandas", "numpy", "pyarrow", "genai_prices", "jsonschema",
    "ppi_py",
}  # fmt: skip


def dotted(path: Path) -> str:
    """`vcmp/gates/policy.py` as `gates.policy`; a package by its own name."""
    parts = path.relative_to(ROOT / "vcmp").with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def imported(tree: ast.AST) -> Iterator[str]:
    """Full names of all that a module imports, at its top, in its functions or for its types."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: name the module in full"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imported_at_once(tree: ast.Module) -> Iterator[str]:
    """Of these, what is imported when the module is."""
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from imported(node)


def part_of_vcmp(name: str) -> str:
    """The module or package of vcmp that `vcmp.<…>` leads to; `__init__` for a public name."""
    part = name.split(".")[1] if "." in name else "__init__"
    return part if part in FLOOR else "__init__"


def breaches(module: str, names: Iterator[str]) -> Iterator[str]:
    """The imports of `module` that go up a floor, or to a neighbour."""
    own = module.split(".")[0]
    for name in names:
        if name.split(".")[0] != "vcmp":
            continue
        other = part_of_vcmp(name)
        allowed = (
            own == other
            or FLOOR[other] < FLOOR[own]
            or (own in NOUNS | ENTRANCE and FLOOR[other] == FLOOR[own])
            or (own in STAND_ON_STATISTICS and other == "statistics")
        )
        if not allowed:
            yield name


def is_door(module: str, doors: set[str]) -> bool:
    return any(module == door or module.startswith(f"{door}.") for door in doors)


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


each_module = pytest.mark.parametrize("path", MODULES, ids=dotted)


@each_module
def test_every_module_has_a_floor(path):
    """A new module is put on a floor, not beside the house."""
    assert dotted(path).split(".")[0] in FLOOR


@each_module
def test_modules_import_only_from_lower_floors(path):
    """The steps do not know each other: they meet in `pipeline` alone."""
    assert list(breaches(dotted(path), imported(parse(path)))) == []


@each_module
def test_the_framework_does_not_know_the_sample(path):
    """It has to work in a project that has only its own agents."""
    packages = {name.split(".")[0] for name in imported(parse(path))}

    assert packages & {"agents", "tests", "benchmarks"} == set()


@each_module
def test_each_package_of_others_has_one_door(path):
    """When MLflow changes, one place of vcmp does."""
    packages = {name.split(".")[0] for name in imported(parse(path))}

    assert [p for p in packages & DOORS.keys() if not is_door(dotted(path), DOORS[p])] == []


@each_module
def test_nothing_heavy_is_imported_at_once(path):
    """`--help` and a mistake in a config must not wait for MLflow."""
    assert {name.split(".")[0] for name in imported_at_once(parse(path))} & HEAVY == set()


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("datasets.readers", "from vcmp.versions import revision"),
        ("datasets", "from vcmp import versions"),
        ("datasets", "from vcmp import evaluate"),
        ("types", "import vcmp.datasets"),
        ("gates", "def f():\n    from vcmp.comparison import compare"),
        ("reports", "import vcmp.statistics"),
        ("pipeline", "if TYPE_CHECKING:\n    from vcmp.config import Settings"),
    ],
)
def test_a_breach_is_seen_wherever_it_stands(module, line):
    assert len(list(breaches(module, imported(ast.parse(line))))) == 1


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("gates.policy", "from vcmp.statistics import rate"),
        ("gates.policy", "from vcmp.gates.findings import Lack"),
        ("metrics", "from vcmp.types import Result"),
        ("pipeline", "from vcmp import gates, results"),
        ("verbs", "from vcmp import config"),
        ("datasets", "import vcmpx"),
    ],
)
def test_what_is_allowed_is_no_breach(module, line):
    assert list(breaches(module, imported(ast.parse(line)))) == []
