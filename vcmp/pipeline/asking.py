"""Plans through the evaluation loop, with the calls of the OpenAI client metered."""

import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext

from vcmp import canaries, evaluation
from vcmp.canaries import Ask
from vcmp.evaluation import Interrupt, Journal, Looks, OnResult
from vcmp.pipeline.sweeps import unheard
from vcmp.provider import meter
from vcmp.tracking import Capture
from vcmp.types import Budget, Evaluation, Limits, Plan, Result


def evaluate(
    plans: Sequence[Plan],
    *,
    limits: Limits | None = None,
    on_result: OnResult = unheard,
    interrupt: Interrupt | None = None,
    budget: Budget | None = None,
) -> tuple[Evaluation, ...]:
    """Run every plan over its dataset, with the OpenAI client's calls metered and retried.

    Scorers that ask a model are shown a known-bad answer first; one that calls it good is not asked
    again, and its scores are missing.

    Args:
        plans: One for each version.
        limits: How many cases at once, how often to try, how long to wait.
        on_result: Called with the plan's position and each result as it finishes.
        interrupt: Remembers a signal that came while the plans ran, or why they were stopped.
        budget: What all calls together may take.

    Returns:
        One evaluation a plan, in their order.
    """
    limits, interrupt = limits or Limits(), interrupt or Interrupt()
    traced = "mlflow" in sys.modules

    with meter(limits, interrupt, budget):
        heeding = canaries.heed(plans, asking(limits, interrupt, traced=traced))
        return evaluate_plans(heeding, limits, on_result, interrupt, traced=traced)


def evaluate_plans(
    plans: Sequence[Plan],
    limits: Limits,
    on_result: OnResult,
    interrupt: Interrupt,
    *,
    traced: bool,
    looks: Looks | None = None,
    known: Mapping[str, Result] | None = None,
    journal: Journal | None = None,
) -> tuple[Evaluation, ...]:
    """Run plans that are as they should be, inside of a block of `meter`.

    `traced` says whether their agents may trace themselves; the rest is as for
    `evaluation.evaluate`.
    """
    with Capture() if traced else nullcontext() as capture:
        return evaluation.evaluate(
            plans,
            limits=limits,
            on_result=on_result,
            capture=capture,
            interrupt=interrupt,
            looks=looks or Looks(),
            known=known,
            journal=journal,
        )


def asking(limits: Limits, interrupt: Interrupt, *, traced: bool) -> Ask:
    """How judges are asked what they make of a known-bad answer."""

    def ask(plans: Sequence[Plan]) -> tuple[Evaluation, ...]:
        return evaluate_plans(plans, limits, unheard, interrupt, traced=traced)

    return ask
