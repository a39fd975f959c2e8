"""What pairwise judges thought of a candidate's outputs: preferences.jsonl and preferences.json."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from vcmp.errors import ResultsError
from vcmp.results.files import (
    SCHEMA,
    adapter,
    append_line,
    damaged,
    line,
    read,
    read_whole_lines,
    replace_file,
)
from vcmp.types import Preference, ScorerCard

ROWS = "preferences.jsonl"
RECORD = "preferences.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """Judgements of a candidate's outputs beside a baseline's."""

    baseline: str
    """Name of the version that the candidate was compared with."""
    judges: Mapping[str, ScorerCard]
    """By metric, all that were to be asked."""
    pairs: tuple[tuple[str, int], ...] = ()
    """Case id and repeat of the outputs that each judge was to compare."""
    given: tuple[Preference, ...] = ()
    """Fewer than were asked for when the run was interrupted."""


def append_preference(preference: Preference, folder: Path) -> None:
    """Add one line to the folder's preferences.jsonl; it is on disk on return.

    Raises:
        StorageError: It cannot be written; the file is as it was.
    """
    append_line(folder / ROWS, asdict(preference))


def save_preferences(preferences: Preferences, folder: Path) -> None:
    """Write preferences.json, and preferences.jsonl in the order given."""
    replace_file(folder / ROWS, (line(asdict(each)) for each in preferences.given))
    document = asdict(preferences)
    del document["given"]
    replace_file(folder / RECORD, [line({"schema": SCHEMA, **document})])


def load_preferences(folder: Path) -> Preferences | None:
    """Read what `save_preferences` and `append_preference` wrote; None where no judge was asked.

    Raises:
        ResultsError: A file is missing, damaged or of another layout.
    """
    path = folder / RECORD
    if not path.is_file():
        return None
    document = read(path)
    if document.get("schema") != SCHEMA:
        raise ResultsError(
            f"{path}: written with layout {document.get('schema')!r}, this vcmp reads {SCHEMA}."
            " Evaluate again, or use the vcmp that wrote it."
        )
    rows = read_whole_lines(folder / ROWS)  # its writer may have been killed
    try:
        preferences: Preferences = adapter(Preferences).validate_python({**document, "given": rows})
    except ValueError as error:
        raise damaged(folder / ROWS, error) from error
    return preferences
