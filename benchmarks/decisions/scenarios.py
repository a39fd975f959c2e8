"""What is asked of a gate: worlds, policies, and the effects at which it should ship or block."""

from dataclasses import dataclass, field, replace
from typing import Any

from benchmarks.decisions.scales import (
    DIFFERENCE,
    GEOMETRIC,
    MEAN,
    MEDIANS,
    RATE,
    TOTALS,
    Scale,
)
from benchmarks.decisions.worlds import Measurements, Scores, World

SIZES = (30, 100, 300, 1000)
MARGIN = 0.05
ALPHA = 0.05
LOOKS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One kind of scores under one policy.

    Effects are in the unit of the finding: a difference, a ratio, a mean or a rate.

    Args:
        limit: The rule's; at exactly this effect shipping is wrong, by a hair.
        unchanged: The effect at which blocking is wrong.
        fails_at: Where the rule turns from undecided to fail when all is known; zero difference
            for non-inferiority, the limit for others.
        better: Effects at which the chance to pass is measured.
        worse: Effects at which the chance to fail is measured.
        guardrails: Unchanged metrics beside the first, under NoRegression.
        others: Effects of further candidates, beside the one whose effect varies.
    """

    name: str
    world: World
    rule: dict[str, Any]
    scale: Scale = DIFFERENCE
    limit: float = -MARGIN
    unchanged: float = 0.0
    fails_at: float = 0.0
    better: tuple[float, ...] = (0.0, 0.03)
    worse: tuple[float, ...] = (-0.05, -0.10)
    guardrails: int = 0
    others: tuple[float, ...] = ()
    sizes: tuple[int, ...] = SIZES
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def effects(self) -> tuple[float, ...]:
        """All that are simulated, the least first."""
        return tuple(sorted({self.limit, self.unchanged, *self.better, *self.worse}))

    @property
    def metrics(self) -> tuple[str, ...]:
        """The scorers' names, the one that is decided on first."""
        first = "error" if self.rule["metric"] == "error_rate" else str(self.rule["metric"])
        return first, *(f"guardrail_{place}" for place in range(1, self.guardrails + 1))

    @property
    def variants(self) -> tuple[str, ...]:
        """The candidates' names; the effect of the first varies."""
        return tuple(f"variant_{place}" for place in range(1, len(self.others) + 2))

    @property
    def policy(self) -> dict[str, Any]:
        """As a file in conf/gate/ would hold it."""
        guards = [{"_target_": NO_REGRESSION, "metric": name} for name in self.metrics[1:]]
        return {
            "rules": [self.rule, *guards],
            "alpha": ALPHA,
            "primary": [self.rule["metric"]],
            **self.extra,
        }


NO_REGRESSION = "vcmp.gates.NoRegression"
NON_INFERIORITY = {
    "_target_": "vcmp.gates.NonInferiority",
    "metric": "quality",
    "margin": MARGIN,
}


def _paired(name: str, world: World, **changes: Any) -> Scenario:
    return Scenario(name=name, world=world, rule=NON_INFERIORITY, **changes)


CONTINUOUS = Scores(mean=0.8, kind="continuous", alike=3.0)
YES_OR_NO = Scores(mean=0.8)

PAIRED = (
    _paired("yes or no, half right", Scores(mean=0.5)),
    _paired("yes or no, 80 % right", YES_OR_NO),
    _paired("yes or no, 95 % right", Scores(mean=0.95)),
    _paired("any number", CONTINUOUS),
    _paired("a judge's five grades", Scores(mean=0.8, kind="grades", alike=3.0)),
    _paired("3 repeats of yes or no", replace(YES_OR_NO, repeats=3)),
    _paired(
        "clusters of 5 cases",
        Scores(mean=0.8, kind="continuous", alike=3.0, cluster_size=5, cluster_effect=0.08),
    ),
    _paired("errors on hard cases", replace(YES_OR_NO, errors=True)),
)


def _ratio(name: str, metric: str, stat: str, scale: Scale, world: World) -> Scenario:
    rule = {"_target_": "vcmp.gates.MaxRatio", "metric": metric, "stat": stat, "max": 1.2}
    return Scenario(
        name=name,
        world=world,
        rule=rule,
        scale=scale,
        limit=1.2,
        unchanged=1.0,
        fails_at=1.2,
        better=(1.0, 1.1),
        worse=(1.5,),
    )


LATENCY = Measurements(spread=0.6, tail=0.03)
COST = Measurements(spread=1.2)

RATIOS = (
    _ratio("latency, medians", "latency_s", "p50", MEDIANS, LATENCY),
    _ratio("latency, mean ratio", "latency_s", "gmr", GEOMETRIC, LATENCY),
    _ratio("latency, totals", "latency_s", "total", TOTALS, LATENCY),
    _ratio("cost, totals", "cost_usd", "total", TOTALS, COST),
)

ABSOLUTE = (
    Scenario(
        name="mean at least 0.80",
        world=replace(YES_OR_NO, absolute=True),
        rule={"_target_": "vcmp.gates.Threshold", "metric": "quality", "min": 0.80},
        scale=MEAN,
        limit=0.80,
        unchanged=0.80,
        fails_at=0.80,
        better=(0.90,),
        worse=(0.70,),
    ),
    Scenario(
        name="error rate at most 0.05",
        world=Scores(mean=0.05, absolute=True),
        rule={"_target_": "vcmp.gates.MaxRate", "metric": "error_rate", "max": 0.05},
        scale=RATE,
        limit=0.05,
        unchanged=0.05,
        fails_at=0.05,
        better=(0.01,),
        worse=(0.10,),
    ),
)

TEN_METRICS = (_paired("ten metrics", CONTINUOUS, guardrails=9, better=(0.0,), worse=(-0.05,)),)

FIVE_VARIANTS = _paired(
    "five variants",
    YES_OR_NO,
    others=(-MARGIN,) * 4,
    better=(),
    worse=(),
    extra={"select": "best_passing"},
)

LOOKED = tuple(
    replace(
        scenario,
        name=f"{scenario.name}, {LOOKS} looks",
        extra={"looks": LOOKS},
        better=(),
        worse=(),
        sizes=(100, 300, 1000),
    )
    for scenario in (PAIRED[1], PAIRED[3], PAIRED[4])
)
