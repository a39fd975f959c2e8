"""Providers that are somewhere else: OpenAI, and whatever speaks its API."""

import os
from contextlib import ExitStack
from typing import Self
from urllib.parse import urlsplit

from vcmp.errors import ConfigError
from vcmp.provider.environment import openai_environment
from vcmp.types import Answerer

OPENAI_URL = "https://api.openai.com/v1"
DEFAULT_KEY_ENV = "OPENAI_API_KEY"
NO_KEY = "none"
"""Sent where no key is needed: the SDK refuses to start with an empty one."""


class OpenAI:
    """OpenAI's own API, or a gateway to it.

    Args:
        api_key_env: Name of the environment variable that holds the key.
        base_url: Null for `OPENAI_BASE_URL` of the environment, else OpenAI's address.

    Raises:
        ConfigError: `base_url` is no address; on entering, when the variable is not set.
    """

    def __init__(self, api_key_env: str = DEFAULT_KEY_ENV, base_url: str | None = None) -> None:
        self.api_key_env = api_key_env
        url = base_url or os.environ.get("OPENAI_BASE_URL") or OPENAI_URL
        self.base_url = _checked(url, "openai")
        self._entered = ExitStack()

    @property
    def answerer(self) -> Answerer:
        """Who answers while this is entered."""
        return Answerer(name="openai", description=f"OpenAI API at {_host(self.base_url)}")

    def __enter__(self) -> Self:
        key = os.environ.get(self.api_key_env)
        if not key:
            raise ConfigError(
                f"{self.api_key_env} is not set, and provider=openai needs it.\n"
                "  Set it, or try without a key: provider=scripted"
            )
        self._entered.enter_context(openai_environment(self.base_url, key))
        return self

    def __exit__(self, *_exception: object) -> None:
        self._entered.close()


class Compatible:
    """Any server that speaks the OpenAI API: vLLM, Ollama, Azure's `/openai/v1`.

    Args:
        base_url: Its address, up to and with `/v1`.
        api_key_env: Name of the environment variable that holds the key. The default may be unset
            and null means that there is no key; any other name must be set.

    Raises:
        ConfigError: `base_url` is no address; on entering, when the named variable is not set.
    """

    def __init__(self, base_url: str, api_key_env: str | None = DEFAULT_KEY_ENV) -> None:
        self.api_key_env = api_key_env
        self.base_url = _checked(base_url, "compatible")
        self._entered = ExitStack()

    @property
    def answerer(self) -> Answerer:
        """Who answers while this is entered."""
        where = _host(self.base_url)
        return Answerer(name="compatible", description=f"OpenAI-compatible API at {where}")

    def __enter__(self) -> Self:
        key = os.environ.get(self.api_key_env) if self.api_key_env else None
        if not key and self.api_key_env not in (None, DEFAULT_KEY_ENV):
            raise ConfigError(
                f"{self.api_key_env} is not set, and provider=compatible was told to use it.\n"
                "  Set it, or say that no key is needed: provider.api_key_env=null"
            )
        self._entered.enter_context(openai_environment(self.base_url, key or NO_KEY))
        return self

    def __exit__(self, *_exception: object) -> None:
        self._entered.close()


def _checked(url: str, provider: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(
            f"provider={provider}: base_url {url!r} is not an address.\n"
            "  Write it in full: provider.base_url=http://localhost:8000/v1"
        )
    return url


def _host(url: str) -> str:
    """Host and port, without the user name and password a URL may carry."""
    return urlsplit(url).netloc.rpartition("@")[2]
