"""What to say when there is no recording: the nearest one, and where it differs."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vcmp.calls import Slot
from vcmp.provider.cassettes.folder import Entry, Request
from vcmp.provider.cassettes.recordings import RecordedReply

REMEDY = "Record it: provider=record"
_SHOWN = 40
"""Characters of a differing text that are shown."""
_BEFORE = 12
"""How many of them stand before the difference."""
_NOTHING = object()


class MissingError(LookupError):
    """A reply was to be played that nobody has recorded."""


def missing(request: Request, entries: Iterable[Entry] | None, folder: Path) -> MissingError:
    """The error for a request that was never recorded.

    Args:
        request: What is asked.
        entries: Among which to look for the nearest; None not to look.
        folder: Where they are.
    """
    nearest = "" if entries is None else _nearest(request, entries)
    return MissingError(f"no recording of this call in {folder}. {nearest}{REMEDY}")


def exhausted(
    replies: Sequence[RecordedReply], slot: Slot | None, number: int, folder: Path
) -> MissingError:
    """The error for a request that was recorded, but not as often as it is asked."""
    return MissingError(
        f"no recording of this call in {folder}: {_often(replies, slot, number)}. {REMEDY}"
    )


def unreadable() -> MissingError:
    """The error for a request that could not have been recorded."""
    return MissingError(
        "no recording of this call: its body is not JSON, and such calls are not recorded.\n"
        "  Take it out of what is evaluated, or evaluate with a provider that asks a model"
    )


def _often(replies: Sequence[RecordedReply], slot: Slot | None, number: int) -> str:
    if slot is None:
        return f"recorded {_counted(len(replies), 'time')}, this is the {_ordinal(number + 1)}"
    slots = {reply.slot for reply in replies}
    repeats = {each.repeat for each in slots if each}
    if slot.repeat not in repeats and repeats:
        n = _counted(len(repeats), "repeat")
        return f"recorded with {n}, this is the {_ordinal(slot.repeat + 1)}"
    most = max(sum(reply.slot == each for reply in replies) for each in slots)
    return (
        f"recorded {_counted(most, 'time')} for one run of a case,"
        f" this is the {_ordinal(number + 1)}"
    )


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _ordinal(number: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{'th' if number % 100 in (11, 12, 13) else ending}"


def _where(request: Request) -> tuple[str, str, str]:
    return request.method, request.path, request.upstream


def _nearest(request: Request, entries: Iterable[Entry]) -> str:
    """The entry with the fewest differing fields; of several, where the first one differs last."""
    same = _where(request)
    alike = [entry for entry in entries if _where(entry.request) == same]
    if not alike:
        return f"There is none for {request.method} {request.path}. "
    here = dict(_fields(request.body))

    def distance(entry: Entry) -> tuple[int, int, str]:
        fields = _differing(dict(_fields(entry.request.body)), here)
        shared = _n_shared(*fields[0][1:]) if fields else 0
        return len(fields), -shared, entry.name

    best = min(alike, key=distance)
    name, there, now = _differing(dict(_fields(best.request.body)), here)[0]
    there, now = _around(there, now)
    return f"Nearest: {best.name}, which differs at {name}: {there} there, {now} here. "


def _fields(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of a JSON value by their places, in the order of the keys."""
    if isinstance(value, Mapping) and value:
        for key in sorted(value):
            yield from _fields(value[key], f"{name}.{key}" if name else key)
    elif isinstance(value, list) and value:
        for number, item in enumerate(value):
            yield from _fields(item, f"{name}[{number}]")
    else:
        yield name or "the body", value


def _differing(there: Mapping[str, Any], here: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    names = [*here, *(name for name in there if name not in here)]
    both = ((name, there.get(name, _NOTHING), here.get(name, _NOTHING)) for name in names)
    return [(name, old, new) for name, old, new in both if old != new]


def _n_shared(there: Any, here: Any) -> int:
    """With how many characters both begin."""
    if not (isinstance(there, str) and isinstance(here, str)):
        return 0
    pairs = zip(there, here, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(there), len(here)))


def _around(there: Any, here: Any) -> tuple[str, str]:
    start = max(0, _n_shared(there, here) - _BEFORE)
    return _show(there, start), _show(here, start)


def _show(value: Any, start: int) -> str:
    if value is _NOTHING:
        return "nothing"
    text = value if isinstance(value, str) else repr(value)
    begin = start if isinstance(value, str) else 0
    shown = text[begin : begin + _SHOWN]
    shown = f"{'…' if begin else ''}{shown}{'…' if len(text) > begin + _SHOWN else ''}"
    return repr(shown) if isinstance(value, str) else shown
