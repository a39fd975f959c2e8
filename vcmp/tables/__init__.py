"""Tables of scores: those that another tool has made, ready to be compared, and a sweep's own.

One line for each case, repeat and scorer, with the baseline's value and the candidate's. `read`
makes them of the files that promptfoo and inspect_ai write, too.
"""

from vcmp.tables.columns import COLUMNS, Table
from vcmp.tables.files import columns_of, read
from vcmp.tables.grouping import group
from vcmp.tables.scores import scores_csv
from vcmp.tables.trials import Trial

__all__ = ["COLUMNS", "Table", "Trial", "columns_of", "group", "read", "scores_csv"]
