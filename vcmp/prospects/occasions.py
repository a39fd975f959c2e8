"""Occasions: all that is known of a comparison before anything is evaluated."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from vcmp import baselines
from vcmp.gates import Policy, Rule
from vcmp.metrics import CHARGED, MEASUREMENTS
from vcmp.rehearsal import Rehearsal, all_keys, is_foreign, keys_of, leaves, plain
from vcmp.scorers import card_of
from vcmp.types import Answerer, Case, Plan, ScorerCard


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """What a gate is going to decide on."""

    policy: Policy
    cases: tuple[Case, ...]
    scorers: dict[str, ScorerCard]
    pairwise: tuple[str, ...]
    """Metrics on which a baseline has 0.5 everywhere."""
    answerer: Answerer
    n_candidates: int
    repeats: int = 1
    seed: int = 0
    n_anchors: int = 0
    alone: bool = False
    """Whether nothing is compared, and only rules about one version are asked."""

    @property
    def measured(self) -> tuple[str, ...]:
        """The measurements that the answers are going to have."""
        scripted = self.answerer.scripted
        return tuple(name for name in MEASUREMENTS if not (scripted and name in CHARGED))

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that the gate reads, and that there are going to be."""
        known = (*self.scorers, *self.measured, "error")
        wanted = all_keys(self.policy, self.scorers)
        return tuple(metric for metric in known if metric in wanted)

    def rehearsal(self, cases: tuple[Case, ...] | None = None) -> Rehearsal:
        """The gate on these cases, or on those of the dataset."""
        return Rehearsal(
            policy=self.policy,
            cases=self.cases if cases is None else cases,
            scorers=self.scorers,
            answerer=self.answerer,
            repeats=self.repeats,
            seed=self.seed,
            alone=self.alone,
        )

    def known(self) -> "Occasion":
        """The same without rules of the project's own, of which only a run can tell what they
        say."""
        return self._keeping(lambda rule: not is_foreign(rule))

    def without(self, metrics: Collection[str]) -> "Occasion":
        """The same without the rules that read any of these metrics."""

        def reads(rule: Rule) -> bool:
            inner = leaves([rule])
            return any(key in metrics for leaf in inner for key in keys_of(leaf, self.scorers))

        return self._keeping(lambda rule: not reads(rule))

    def _keeping(self, wanted: Callable[[Rule], bool]) -> "Occasion":
        rules = tuple(filter(wanted, self.policy.rules))
        return replace(self, policy=replace(self.policy, rules=rules))


def foresee(
    plans: Sequence[Plan], policy: Policy, baseline: str, anchors: Sequence[str] = ()
) -> Occasion:
    """What the gate is going to decide on when these plans have been evaluated.

    Args:
        baseline: As in the configuration; "" where nothing is compared.
        anchors: Further baselines, likewise.
    """
    first = plans[0]
    own = len(plans) > 1 and baselines.choose([p.version.variant for p in plans], baseline)
    pairwise = {name: card_of(judge) for name, judge in first.pairwise.items()} if baseline else {}
    return Occasion(
        policy=policy,
        cases=plain(first.dataset.cases, policy),
        scorers={**first.cards, **pairwise},
        pairwise=tuple(pairwise),
        answerer=first.answerer,
        n_candidates=len(plans) - bool(own),
        repeats=first.repeats,
        seed=first.seed,
        n_anchors=len(anchors),
        alone=not baseline,
    )
