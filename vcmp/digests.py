"""Digests: short names for content, equal exactly when the content is."""

import hashlib
import json
from typing import Any


def canonical_json(value: Any) -> str:
    """`value` as JSON that does not depend on the order of keys; what JSON lacks stands as text."""
    return json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"), default=str)


def digest_of(value: Any) -> str:
    """The SHA-256 of `value`'s canonical JSON, 64 hexadecimal digits."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()
