"""The evaluation loop: agents × cases × repeats, interleaved in one asyncio loop.

loop         the workers, which advance look by look
runs         one run of one case, from its inputs to its scores
order        which case comes when
attempts     one call of an agent or a scorer, within its deadline
outcomes     whether a run gave a whole answer
threads      sync agents and scorers, in daemon threads
interrupts   what ends an evaluation before its time
turning      the event loop, which waits for nothing that agents leave in it
values       what agents return, raise and use, as plain values
"""

from vcmp.evaluation.interrupts import Interrupt
from vcmp.evaluation.loop import OnResult, evaluate
from vcmp.evaluation.order import Looks, schedule
from vcmp.evaluation.runs import Capture, Journal, is_finished
from vcmp.evaluation.values import as_json, describe, time_awaited, total_usage

__all__ = [
    "Capture",
    "Interrupt",
    "Journal",
    "Looks",
    "OnResult",
    "as_json",
    "describe",
    "evaluate",
    "is_finished",
    "schedule",
    "time_awaited",
    "total_usage",
]
