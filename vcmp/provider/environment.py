"""Environment variables, set for a while."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

OPENAI_URL = "https://api.openai.com/v1"
_BEHIND = "VCMP_UPSTREAM"
"""Where a server of vcmp's own, to which OPENAI_BASE_URL leads meanwhile, takes its replies from:
the evaluation of another revision is a child process with a server of its own."""


def given_url() -> str:
    """The base URL that the environment names, else OpenAI's."""
    return os.environ.get(_BEHIND) or os.environ.get("OPENAI_BASE_URL") or OPENAI_URL


@contextmanager
def openai_environment(base_url: str, api_key: str, upstream: str = "") -> Iterator[None]:
    """Point everything that speaks the OpenAI API at `base_url`.

    Args:
        base_url: Where clients ask.
        api_key: What they send.
        upstream: The API behind it, when it is a server of vcmp's own.
    """
    values = {
        "OPENAI_BASE_URL": base_url,
        "OPENAI_API_BASE": base_url,
        "OPENAI_API_KEY": api_key,
        _BEHIND: upstream or None,
    }
    before = {name: os.environ.get(name) for name in values}
    _set(values)
    try:
        yield
    finally:
        _set(before)


def _set(values: dict[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
