"""Baselines: what the versions of a sweep are compared with, and where that comes from.

The baseline is named in the configuration, never "the first": a variant of this sweep, a version
that was recorded earlier (`version:<name>`, `latest`, `anchor`, or the variant's name in a single
run), or another revision of the project (`git:main`). Further ones, the anchors, are named alike.

    names       what the names mean
    fetching    one baseline from elsewhere
    revisions   another revision of the project, evaluated now
    recordings  which recorded runs are of one version, and which of them count
    gathering   all that lies beside the evaluations of a sweep
"""

from vcmp.baselines.gathering import Gathered, gather
from vcmp.baselines.names import Wanted, check, choose, describe, only_recorded
from vcmp.baselines.revisions import moved, resolve

__all__ = [
    "Gathered",
    "Wanted",
    "check",
    "choose",
    "describe",
    "gather",
    "moved",
    "only_recorded",
    "resolve",
]
