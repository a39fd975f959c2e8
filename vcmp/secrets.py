"""Secrets: the values of key-like environment variables, and text without them."""

import os
import re
from collections.abc import Mapping
from typing import Any

_VARIABLE = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL", re.IGNORECASE)
_MIN_LENGTH = 12
"""Shorter values would be found in harmless text."""


def known_secrets() -> dict[str, str]:
    """The environment variables whose values must never be written, by name; paths are none."""
    return {
        name: value
        for name, value in os.environ.items()
        if _VARIABLE.search(name) and len(value) >= _MIN_LENGTH and value[0] not in "/~."
    }


def scrub(value: Any) -> Any:
    """`value`, a text or JSON value, with every secret put back into its variable's name."""
    return _without(known_secrets(), value)


def _without(secrets: Mapping[str, str], value: Any) -> Any:
    if isinstance(value, Mapping):
        return {_without(secrets, key): _without(secrets, item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without(secrets, item) for item in value]
    if isinstance(value, str):
        for name, secret in secrets.items():
            value = value.replace(secret, f"${{{name}}}")
    return value
