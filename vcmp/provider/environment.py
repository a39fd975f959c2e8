"""Environment variables, set for a while."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def openai_environment(base_url: str, api_key: str) -> Iterator[None]:
    """Point everything that speaks the OpenAI API at `base_url`."""
    values = {
        "OPENAI_BASE_URL": base_url,
        "OPENAI_API_BASE": base_url,
        "OPENAI_API_KEY": api_key,
    }
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
