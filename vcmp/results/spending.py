"""What the calls of a sweep have taken, as long as it has not come to its end.

outputs/<sweep>/spent.jsonl    a line for each attempt of a call
"""

import json
import threading
from dataclasses import asdict
from pathlib import Path

from vcmp.results.files import adapter, append_text, damaged, line, read_whole_lines, replace_file
from vcmp.types import Spent

SPENT = "spent.jsonl"


class Ledger:
    """Keeps what is spent, for the next run of a sweep that is ended.

    Args:
        folder: Of the sweep.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / SPENT
        self._lock = threading.Lock()
        self._open = True

    def spent(self) -> Spent:
        """What earlier runs of the sweep took; what was in flight when one was killed is not known.

        Raises:
            ResultsError: The file is damaged.
            StorageError: It cannot be cleaned of a torn last line.
        """
        if not self._path.is_file():
            return Spent()
        try:
            each = [adapter(Spent).validate_python(row) for row in read_whole_lines(self._path)]
        except ValueError as error:
            raise damaged(self._path, error) from error
        total = sum(each, Spent())
        replace_file(self._path, [line(asdict(total))])
        return total

    def add(self, spent: Spent) -> None:
        """Keep what an attempt of a call took.

        Raises:
            StorageError: It cannot be written.
        """
        with self._lock:  # a line that is written in part is taken back
            if self._open:
                append_text(self._path, f"{json.dumps(asdict(spent))}\n")

    def close(self) -> None:
        """The sweep is at its end: nothing goes on from here, and calls that were given up and end
        later are nobody's."""
        with self._lock:
            self._open = False
            self._path.unlink(missing_ok=True)
