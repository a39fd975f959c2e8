"""The gate compared with itself: how often it raises an alarm when nothing has changed.

An A/A check: the repeats of one version are dealt out into two halves, again and again, and the
gate judges one half as the candidate and the other as the baseline. Every alarm is a false one.

    splits  deal the repeats out, and let the gate decide
    found   what came of it
    words   and what that means
"""

from vcmp.selfcheck.found import Flakiness, Rate, SelfCheck, Share, document
from vcmp.selfcheck.splits import SPLITS, check
from vcmp.selfcheck.words import tell

__all__ = ["SPLITS", "Flakiness", "Rate", "SelfCheck", "Share", "check", "document", "tell"]
