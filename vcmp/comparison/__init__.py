"""Compare versions, paired by case.

`compare` takes two evaluations, `examine` one, `pair` what another tool has measured.
"""

from vcmp.comparison.answerers import differing_models, unrecorded
from vcmp.comparison.pairs import compare, examine, pair, restrict
from vcmp.comparison.yardstick import check_comparable

__all__ = [
    "check_comparable",
    "compare",
    "differing_models",
    "examine",
    "pair",
    "restrict",
    "unrecorded",
]
