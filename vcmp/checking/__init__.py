"""`vcmp judge-check`: do the judges see what people see?

labels     what people said, read from a dataset's expectations
asking     answers, and what each judge says of them
words      what follows, for an engineer without statistics
documents  judge-check.json
"""

from vcmp.checking.asking import (
    Checked,
    Inquest,
    ask_judges,
    find_answers,
    prepare,
    refuse_silence,
)
from vcmp.checking.documents import document_of
from vcmp.checking.labels import Labels, read_labels
from vcmp.checking.words import announce, show

__all__ = [
    "Checked",
    "Inquest",
    "Labels",
    "announce",
    "ask_judges",
    "document_of",
    "find_answers",
    "prepare",
    "read_labels",
    "refuse_silence",
    "show",
]
