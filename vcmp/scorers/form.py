"""Scorers that look at the output alone: what it contains, its shape, its length."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vcmp.errors import ConfigError
from vcmp.metrics import text_of
from vcmp.scorers.texts import among, count_words, fold
from vcmp.types import Case, Score


@dataclass(frozen=True)
class Contains:
    """1 when `text` occurs in the output, 0 when not; the other way round if not `wanted`.

    Raises:
        ConfigError: `text` is empty, at construction.
    """

    text: str
    ignore_case: bool = True
    wanted: bool = True

    def __post_init__(self) -> None:
        if not fold(self.text):
            raise ConfigError("Contains: text is empty, and an empty text occurs in every output.")

    def __call__(self, case: Case, output: Any) -> Score:
        found = among([self.text], text_of(output), ignore_case=self.ignore_case)
        return _presence(bool(found), self.wanted, repr(self.text))


@dataclass(frozen=True)
class Matches:
    """1 when the regular expression matches anywhere in the output, 0 when not; the other way round
    if not `wanted`. `^` and `$` match at every line.

    Raises:
        ConfigError: `pattern` is not a regular expression, at construction.
    """

    pattern: str
    ignore_case: bool = False
    wanted: bool = True

    def __post_init__(self) -> None:
        try:
            re.compile(self.pattern)
        except re.error as error:
            raise ConfigError(
                f"Matches: pattern {self.pattern!r} is not a regular expression: {error}."
            ) from error

    def __call__(self, case: Case, output: Any) -> Score:
        flags = re.MULTILINE | (re.IGNORECASE if self.ignore_case else 0)
        found = re.search(self.pattern, text_of(output), flags) is not None
        return _presence(found, self.wanted, f"a match of {self.pattern!r}")


@dataclass(frozen=True)
class JsonSchema:
    """1 when the output is JSON that satisfies `schema`, 0 when not.

    A string is read as JSON, anything else is looked at as it is. Text round the JSON, a code
    fence included, makes it something else than JSON. Without `$schema` the draft is 2020-12.

    Raises:
        ConfigError: `schema` is not a JSON Schema, at construction.
    """

    schema: Mapping[str, Any]

    def __post_init__(self) -> None:
        from jsonschema import Draft202012Validator, SchemaError
        from jsonschema.validators import validator_for

        schema = _as_json(self.schema)
        try:
            validator_for(schema, default=Draft202012Validator).check_schema(schema)
        except SchemaError as error:
            raise ConfigError(
                f"JsonSchema: schema is not a JSON Schema: {error.json_path}: {error.message}."
            ) from error

    def __call__(self, case: Case, output: Any) -> Score:
        from jsonschema import Draft202012Validator
        from jsonschema.exceptions import best_match
        from jsonschema.validators import validator_for

        try:
            document = _parse(output) if isinstance(output, str) else output
        except (ValueError, RecursionError) as error:
            return Score(value=0.0, rationale=f"not JSON: {error}")
        schema = _as_json(self.schema)
        validator = validator_for(schema, default=Draft202012Validator)(schema)
        worst = best_match(validator.iter_errors(document))
        if worst is None:
            return Score(value=1.0)
        return Score(value=0.0, rationale=f"{worst.json_path}: {worst.message}")


@dataclass(frozen=True)
class MaxLength:
    """1 when the output has at most `chars` characters and at most `words` words, 0 when not.

    Raises:
        ConfigError: Neither is given, or one is below 1, at construction.
    """

    chars: int | None = None
    words: int | None = None

    def __post_init__(self) -> None:
        limits = [limit for limit in (self.chars, self.words) if limit is not None]
        if not limits or min(limits) < 1:
            raise ConfigError(
                f"MaxLength: chars={self.chars}, words={self.words} is no limit. "
                "Give at least one of them, 1 or more."
            )

    def __call__(self, case: Case, output: Any) -> Score:
        text = text_of(output)
        counts = [(len(text), self.chars, "characters"), (count_words(text), self.words, "words")]
        over = [f"{n} {of}, {most} allowed" for n, most, of in counts if most and n > most]
        return Score(value=float(not over), rationale="; ".join(over))


@dataclass(frozen=True)
class Concise:
    """1 up to `words` words, then falling linearly to 0 at `limit`.

    An output without a word scores 0: saying nothing is not the way to be brief.

    Raises:
        ConfigError: Not 1 <= `words` < `limit`, at construction.
    """

    words: int
    limit: int

    def __post_init__(self) -> None:
        if not 1 <= self.words < self.limit:
            raise ConfigError(
                f"Concise: words={self.words}, limit={self.limit}. "
                "words must be 1 or more, and limit more than words."
            )

    def __call__(self, case: Case, output: Any) -> Score:
        n_words = count_words(text_of(output))
        if not n_words:
            return Score(value=0.0, rationale="no words")
        left = (self.limit - n_words) / (self.limit - self.words)
        return Score(value=min(1.0, max(0.0, left)), rationale=f"{n_words} words")


def _presence(found: bool, wanted: bool, what: str) -> Score:
    rationale = "" if found == wanted else f"{'has' if found else 'lacks'} {what}"
    return Score(value=float(found == wanted), rationale=rationale)


def _parse(text: str) -> Any:
    return json.loads(text, parse_constant=_reject)


def _reject(constant: str) -> Any:
    raise ValueError(f"{constant} is not a JSON number")


def _as_json(value: Any) -> Any:
    """`value` with plain dicts and lists: a composed config has its own kinds, and jsonschema takes
    only the plain ones for objects and arrays."""
    if isinstance(value, Mapping):
        return {str(key): _as_json(item) for key, item in value.items()}
    if isinstance(value, str | int | float | bool | None):
        return value
    return [_as_json(item) for item in value]
