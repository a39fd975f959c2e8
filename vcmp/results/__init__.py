"""Result files: what an evaluation leaves on disk, and all that a conclusion needs.

outputs/<sweep>/sweep.json              how to conclude: baseline, gate, report, command
outputs/<sweep>/canaries.jsonl          what its judges said of known-bad answers
outputs/<sweep>/spent.jsonl             while it runs, what its calls have taken
outputs/<sweep>/<n>/results.jsonl       one result a line, appended as it finishes
outputs/<sweep>/<n>/answers.jsonl       while it runs, answers that judges have not scored yet
outputs/<sweep>/<n>/evaluation.json     everything else about the evaluation
outputs/<sweep>/<n>/preferences.json    pairwise judges and the pairs of outputs they were to see
outputs/<sweep>/<n>/preferences.jsonl   one of their preferences a line
outputs/<sweep>/<n>/earlier/<k>/        the same two files of earlier runs of the same version
outputs/<sweep>/baseline/               and of a baseline from elsewhere, with its earlier runs
outputs/<sweep>/anchors/<k>/            and of each further baseline from elsewhere
outputs/<sweep>/revisions/<commit>/     while a revision is evaluated, its own sweep's files

    files        writing whole files, reading JSON, damage in words
    evaluations  one evaluation in its folder
    unfinished   what an evaluation that did not end has left
    pooling      several of one version as one
    preferences  what pairwise judges thought of an evaluation's outputs
    spending     what the calls of a sweep that did not end have taken
    sweeps       a sweep: its record and its evaluations
"""

from vcmp.results.canaries import load_canaries, save_canaries
from vcmp.results.evaluations import append, load, save
from vcmp.results.files import SCHEMA
from vcmp.results.pooling import load_earlier, load_pooled, pool, save_earlier
from vcmp.results.preferences import (
    Preferences,
    append_preference,
    load_preferences,
    save_preferences,
)
from vcmp.results.spending import Ledger
from vcmp.results.sweeps import (
    ANCHORS,
    BASELINE,
    REVISIONS,
    SweepRecord,
    load_anchors,
    load_baseline,
    load_record,
    load_sweep,
    remove_revisions,
    save_record,
)
from vcmp.results.unfinished import Journal, load_unfinished, save_unfinished

__all__ = [
    "ANCHORS",
    "BASELINE",
    "REVISIONS",
    "SCHEMA",
    "Journal",
    "Ledger",
    "Preferences",
    "SweepRecord",
    "append",
    "append_preference",
    "load",
    "load_anchors",
    "load_baseline",
    "load_canaries",
    "load_earlier",
    "load_pooled",
    "load_preferences",
    "load_record",
    "load_sweep",
    "load_unfinished",
    "pool",
    "remove_revisions",
    "save",
    "save_canaries",
    "save_earlier",
    "save_preferences",
    "save_record",
    "save_unfinished",
]
