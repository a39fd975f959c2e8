"""Results of promptfoo, as `promptfoo eval -o results.json` writes them.

`results.results` has one row for each test, repeat and prompt (a prompt and a provider); see
https://www.promptfoo.dev/docs/configuration/outputs and `EvaluateResult` in promptfoo's types. A
repeat is a row of its own with an index of its own, so repeats are told by what they ask.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from vcmp.digests import digest_of
from vcmp.errors import ConfigError
from vcmp.tables.logs import (
    RESERVED,
    Log,
    Origin,
    Run,
    known,
    marks_of,
    name_all,
    number_of,
    refuse_reserved,
)

SUCCESS, SCORE = "success", "score"
"""The scorers that every row has."""
FAILED = 2
"""The `failureReason` of a row that has no answer, or whose assertions broke."""
Row = Mapping[str, Any]


def is_own(document: Any) -> bool:
    """Whether a JSON document is promptfoo's."""
    return isinstance(_summary(document).get("results"), list)


def logs(sources: Sequence[tuple[str, Any]]) -> list[Log]:
    """One log for each prompt and provider.

    Args:
        sources: Path and content of each file.

    Raises:
        ConfigError: A file has no row, or a named score a name that means something else.
    """
    rows_of = [(origin, rows) for path, document in sources for origin, rows in _by(path, document)]
    names = name_all([origin for origin, _ in rows_of])
    return [
        Log(name=name, aliases=origin.aliases, runs=tuple(_runs(rows)))
        for name, (origin, rows) in zip(names, rows_of, strict=True)
    ]


def _summary(document: Any) -> Mapping[str, Any]:
    """What holds the rows: the file's `results`, or the whole of what the Node package returns."""
    if not isinstance(document, Mapping):
        return {}
    inner = document.get("results")
    return inner if isinstance(inner, Mapping) else document if "stats" in document else {}


def _by(path: str, document: Any) -> Iterator[tuple[Origin, list[Row]]]:
    """The rows of each prompt and provider, in the order of their columns."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in _summary(document)["results"]:
        prompt, provider = row.get("prompt") or {}, row.get("provider") or {}
        label = str(prompt.get("label") or prompt.get("raw") or "")
        name = str(provider.get("label") or provider.get("id") or "")
        groups.setdefault((row.get("promptIdx", 0), label, name), []).append(row)
        refuse_reserved(path, list(row.get("namedScores") or {}), (*RESERVED, SUCCESS, SCORE))
    if not groups:
        raise ConfigError(f"{path}: has no result. Run promptfoo again.")
    for (_, label, name), rows in sorted(groups.items()):
        yield Origin(path=path, traits={"prompt": label, "provider": name}), rows


def _runs(rows: Sequence[Row]) -> Iterator[Run]:
    seen: Counter[str] = Counter()
    for row in sorted(rows, key=lambda row: int(row.get("testIdx") or 0)):
        test = row.get("testCase") or {}
        case_id, (cluster, tag) = _case_id(row, test), marks_of(test.get("metadata"))
        failed = _failed(row)
        yield Run(
            case_id=case_id,
            repeat=seen[case_id],
            failed=failed,
            values={} if failed else {**_scores(row), **_measurements(row)},
            cluster=cluster,
            tag=tag,
        )
        seen[case_id] += 1


def _case_id(row: Row, test: Mapping[str, Any]) -> str:
    """A name and a digest of what is asked and asserted, the same in every file."""
    asked = test.get("vars") or row.get("vars") or {}
    text = str(test.get("description") or " ".join(str(value) for value in asked.values()))
    asserts = [[a.get(key) for key in ("type", "value", "metric")] for a in _asserts(test)]
    digest = digest_of([test.get("description"), asked, asserts])
    return f"{' '.join(text.split())[:60]} {digest[:8]}".strip()


def _asserts(test: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [each for each in test.get("assert") or [] if isinstance(each, Mapping)]


def _failed(row: Row) -> bool:
    """Whether there is no answer. With one, an error is of the assertions."""
    response = row.get("response") or {}
    if response.get("error") or row.get("failureReason") == FAILED:
        return bool(response.get("error")) or response.get("output") is None
    return bool(row.get("error")) and not row.get("gradingResult")


def _scores(row: Row) -> dict[str, float]:
    """What the assertions said; of those whose judge failed, and of the whole, nothing."""
    broken = list(_broken(row.get("gradingResult") or {}))
    if row.get("failureReason") == FAILED:
        return {}
    named = known(row.get("namedScores") or {}, number_of)
    whole = {} if broken else {SUCCESS: row.get("success"), SCORE: row.get("score")}
    return {
        **{name: value for name, value in named.items() if name not in broken},
        **known(whole, number_of),
    }


def _broken(grading: Mapping[str, Any]) -> Iterator[str]:
    """The metrics, "" for none, of assertions whose judge gave no judgement."""
    for part in grading.get("componentResults") or []:
        if not isinstance(part, Mapping):
            continue
        if (part.get("metadata") or {}).get("graderError"):
            yield str((part.get("assertion") or {}).get("metric") or "")
        yield from _broken(part)


def _measurements(row: Row) -> dict[str, float]:
    """Of an answer from the cache neither time nor cost is known, and a time of 0 is none."""
    response = row.get("response") or {}
    tokens, output = response.get("tokenUsage") or {}, response.get("output")
    measured: dict[str, Any] = {
        "input_tokens": tokens.get("prompt"),
        "output_tokens": tokens.get("completion"),
        "output_chars": len(output) if isinstance(output, str) else None,
    }
    if not response.get("cached"):
        seconds = (number_of(row.get("latencyMs")) or 0.0) / 1000
        measured |= {"latency_s": seconds or None, "cost_usd": response.get("cost")}
    return known(measured, number_of)
