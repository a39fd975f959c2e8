"""The evaluation loop: agents × cases × repeats, interleaved in one asyncio loop.

loop         the order, the workers, one case from its inputs to its scores
threads      sync agents and scorers, in daemon threads
interrupts   Ctrl-C and SIGTERM
values       what agents return, raise and use, as plain values
"""

from vcmp.evaluation.interrupts import Interrupt
from vcmp.evaluation.loop import Capture, Looks, evaluate, schedule
from vcmp.evaluation.values import as_json, describe, time_awaited, total_usage

__all__ = [
    "Capture",
    "Interrupt",
    "Looks",
    "as_json",
    "describe",
    "evaluate",
    "schedule",
    "time_awaited",
    "total_usage",
]
