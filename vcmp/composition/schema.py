"""Every key of a composed configuration, with its type and default."""

from dataclasses import dataclass, field, fields
from typing import Any


@dataclass
class GateConfig:
    rules: list[Any] = field(default_factory=list)
    alpha: float = 0.05
    missing_limit: float = 0.10
    on_inconclusive: str = "block"
    primary: list[str] = field(default_factory=list)
    looks: int = 1
    select: str = "every"


@dataclass
class DatasetConfig:
    path: str = "???"
    name: str = ""
    limit: int | None = None


@dataclass
class OutcomesConfig:
    empty: str = "fail"
    refusal: str = "score"
    filtered: str = "fail"
    truncated: str = "score"


@dataclass
class BudgetConfig:
    usd: float | None = None
    tokens: int | None = None
    minutes: float | None = None
    calls: int | None = None
    confirm_usd: float | None = None


@dataclass
class ReportConfig:
    template: str = "pull_request"
    limit: int = 60_000


@dataclass
class Schema:
    """All of it."""

    app: str = "agent"
    baseline: str | None = None
    baselines: list[str] = field(default_factory=list)
    pool: bool = True
    repeats: int = 1
    seed: int = 0
    concurrency: int = 16
    attempts: int = 3
    call_deadline_s: float = 60.0
    case_deadline_s: float = 180.0
    outcomes: OutcomesConfig = field(default_factory=OutcomesConfig)
    budget: BudgetConfig = field(default_factory=BudgetConfig)
    trust: list[str] = field(default_factory=list)
    agent: dict[str, Any] = field(default_factory=dict)
    dataset: DatasetConfig = field(default_factory=DatasetConfig)
    scorers: dict[str, Any] = field(default_factory=dict)
    gate: GateConfig = field(default_factory=GateConfig)
    provider: dict[str, Any] = field(default_factory=dict)
    tracking: dict[str, Any] = field(default_factory=dict)
    report: ReportConfig = field(default_factory=ReportConfig)


def keys() -> list[str]:
    """The names of all, the inner ones with their group: `gate.alpha`."""
    groups = {
        "budget": BudgetConfig,
        "dataset": DatasetConfig,
        "gate": GateConfig,
        "outcomes": OutcomesConfig,
        "report": ReportConfig,
    }
    inner = [f"{group}.{key.name}" for group, kind in groups.items() for key in fields(kind)]
    return [*(key.name for key in fields(Schema)), *inner]
