"""The tracking store: versions, evaluations and traces as MLflow keeps and shows them.

    tracker      the face: one object for one store
    store        the address of the store
    environment  what MLflow is told before it is imported, and kept from printing
    sessions     an open store, and its errors in words
    probes       whether a server answers
    sqlite       a store in one file: its lock and its schema
    models       a version as LoggedModel
    record       an evaluation as a run: metrics, inputs and artifacts
    traces       one result as a trace with its assessments
    spans        one result as spans
    capture      spans of agents that trace themselves, kept off the hot path
    evaluations  what has been recorded: find evaluations and read their files
    catalog      versions in a list or a ranking, and datasets
    pins         the version that is pinned as an app's anchor
    analysis     a version's traces in numbers

MLflow takes seconds to import, so nothing here imports it before a store is opened.
"""

from vcmp.tracking.analysis import AssessmentSummary, TraceSummary
from vcmp.tracking.capture import Capture
from vcmp.tracking.catalog import RecordedVersion
from vcmp.tracking.environment import set_defaults
from vcmp.tracking.evaluations import Found, Sought
from vcmp.tracking.record import BEST_OF, Recorded
from vcmp.tracking.tracker import MlflowTracker

__all__ = [
    "BEST_OF",
    "AssessmentSummary",
    "Capture",
    "Found",
    "MlflowTracker",
    "Recorded",
    "RecordedVersion",
    "Sought",
    "TraceSummary",
    "set_defaults",
]
