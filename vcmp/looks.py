"""Planned looks while a sweep runs: no case is paid for once the gate has decided."""

from collections.abc import Callable, Sequence

from vcmp import gates
from vcmp.conclusions import Field
from vcmp.evaluation import Looks
from vcmp.gates import Policy
from vcmp.types import Evaluation, Plan, Result


class Watch:
    """Sees every result of a sweep as it comes, and decides at each look whose cases are complete.

    Args:
        plans: The sweep's plans.
        policy: With two looks or more.
        field: From the evaluations of the plans so far, in their order, what is compared; None
            where there is nothing to compare with.
    """

    def __init__(
        self,
        plans: Sequence[Plan],
        policy: Policy,
        field: Callable[[Sequence[Evaluation]], Field | None],
    ) -> None:
        self._plans = plans
        self._policy = policy
        self._field = field
        self._results: list[list[Result]] = [[] for _ in plans]
        order = [case.id for case in plans[0].dataset.shuffled(plans[0].seed)]
        self._look_of = {
            case_id: place * policy.looks // len(order) + 1 for place, case_id in enumerate(order)
        }
        n_each = sum(plan.repeats for plan in plans)
        self._open = [
            n_each * sum(look == number for look in self._look_of.values())
            for number in range(1, policy.looks + 1)
        ]
        self._decided = False

    def add(self, plan: int, result: Result) -> None:
        """Take in a result; it may complete a look."""
        self._results[plan].append(result)
        look = self._look_of[result.case_id]
        self._open[look - 1] -= 1
        if not self._decided and not any(self._open[:look]):
            self._decided = self._decide()

    def looks(self) -> Looks:
        """What the evaluation loop has to know."""
        return Looks(planned=self._policy.looks, enough=lambda: self._decided)

    def _decide(self) -> bool:
        evaluations = [
            Evaluation(
                version=plan.version,
                dataset=plan.dataset,
                scorers=plan.cards,
                answerer=plan.answerer,
                results=tuple(results),
                repeats=plan.repeats,
                seed=plan.seed,
                canaries=plan.canaries,
            )
            for plan, results in zip(self._plans, self._results, strict=True)
        ]
        field = self._field(evaluations)
        found = field.decide(self._policy) if field else []
        return bool(found) and all(gates.is_decided(each.verdict) for each in found)
