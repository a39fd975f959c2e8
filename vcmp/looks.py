"""Planned looks while a sweep runs: no case is paid for once the gate has decided."""

from collections.abc import Callable, Collection, Sequence

from vcmp import gates
from vcmp.conclusions import Field
from vcmp.evaluation import Looks
from vcmp.gates import Policy
from vcmp.types import Evaluation, Plan, Result


class Watch:
    """Sees every result of a sweep as it comes, and decides at each look.

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

    def add(self, plan: int, result: Result) -> None:
        """Take in a result."""
        self._results[plan].append(result)

    def looks(self) -> Looks:
        """What the evaluation loop has to know."""
        return Looks(planned=self._policy.looks, wanted=self._wanted)

    def _wanted(self) -> Collection[int]:
        """The plans that are not decided, and all that those are compared with."""
        results = zip(self._plans, self._results, strict=True)
        field = self._field([plan.evaluation(there) for plan, there in results])
        found = field.decide(self._policy) if field else []
        if not field or not found:
            return range(len(self._plans))
        decided = {each.verdict.candidate for each in found if gates.is_decided(each.verdict)}
        if len(decided) == len(found):
            return ()
        decided -= {anchor.version.name for anchor in field.anchors}
        return [n for n, plan in enumerate(self._plans) if plan.version.name not in decided]
