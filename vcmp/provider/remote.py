"""Providers that are somewhere else: OpenAI, and whatever speaks its API."""

import os
from abc import ABC, abstractmethod
from contextlib import ExitStack
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from vcmp.errors import ConfigError
from vcmp.provider.cassettes import Cache, Cassette, deck
from vcmp.provider.environment import given_url, openai_environment
from vcmp.types import Answerer

DEFAULT_KEY_ENV = "OPENAI_API_KEY"
NO_KEY = "none"
"""Sent where no key is needed: the SDK refuses to start with an empty one."""
CACHE = "outputs/.cassettes"
"""Folder of replies that are kept to spare money; nobody commits it."""


class _Remote(ABC):
    """What both have in common."""

    def __init__(self, base_url: str, name: str, what: str, cache: bool, cassette: str) -> None:
        self.base_url = checked_url(base_url, "base_url", name)
        self.cache = cache
        self._answerer = Answerer(
            name=name,
            reuses=cache,
            description=f"{what} at {host(self.base_url)}"
            + (f", or again what it said before: {cassette}" if cache else ""),
        )
        self._cassette = Cassette(Path(cassette))
        self._entered = ExitStack()

    @property
    def answerer(self) -> Answerer:
        """Who answers while this is entered."""
        return self._answerer

    @abstractmethod
    def key(self) -> str:
        """What is sent as the key."""

    def __enter__(self) -> Self:
        key, url = self.key(), self.base_url
        if self.cache:
            url = self._entered.enter_context(deck(Cache(self._cassette), url))
        behind = self.base_url if self.cache else ""
        self._entered.enter_context(openai_environment(url, key, behind))
        return self

    def __exit__(self, *_exception: object) -> None:
        self._entered.close()


class OpenAI(_Remote):
    """OpenAI's own API, or a gateway to it.

    Args:
        api_key_env: Name of the environment variable that holds the key.
        base_url: Null for `OPENAI_BASE_URL` of the environment, else OpenAI's address.
        cache: Whether a call that was made before, for the same repeat, is answered with what was
            said then.
        cassette: Folder for that.

    Raises:
        ConfigError: `base_url` is no address; on entering, when the variable is not set.
    """

    def __init__(
        self,
        api_key_env: str = DEFAULT_KEY_ENV,
        base_url: str | None = None,
        cache: bool = False,
        cassette: str = CACHE,
    ) -> None:
        self.api_key_env = api_key_env
        super().__init__(base_url or given_url(), "openai", "OpenAI API", cache, cassette)

    def key(self) -> str:
        """The key; it has to be there."""
        return required_key(self.api_key_env, "openai")


class Compatible(_Remote):
    """Any server that speaks the OpenAI API: vLLM, Ollama, Azure's `/openai/v1`.

    Args:
        base_url: Its address, up to and with `/v1`.
        api_key_env: Name of the environment variable that holds the key. The default may be unset
            and null means that there is no key; any other name must be set.
        cache: Whether a call that was made before, for the same repeat, is answered with what was
            said then.
        cassette: Folder for that.

    Raises:
        ConfigError: `base_url` is no address; on entering, when the named variable is not set.
    """

    def __init__(
        self,
        base_url: str,
        api_key_env: str | None = DEFAULT_KEY_ENV,
        cache: bool = False,
        cassette: str = CACHE,
    ) -> None:
        self.api_key_env = api_key_env
        super().__init__(base_url, "compatible", "OpenAI-compatible API", cache, cassette)

    def key(self) -> str:
        """The key, or what is sent in its place."""
        return optional_key(self.api_key_env, "compatible")


def required_key(variable: str, provider: str) -> str:
    """The key in an environment variable.

    Raises:
        ConfigError: It is not set, or cannot be sent.
    """
    key = os.environ.get(variable)
    if not key:
        raise ConfigError(
            f"{variable} is not set, and provider={provider} needs it.\n"
            "  Set it, or try without a key: provider=scripted"
        )
    return _sendable(key, variable, provider)


def optional_key(variable: str | None, provider: str) -> str:
    """The key in an environment variable, or what is sent where there is none.

    Raises:
        ConfigError: A variable other than the default one is not set; or the key cannot be sent.
    """
    key = os.environ.get(variable) if variable else None
    if not key and variable not in (None, DEFAULT_KEY_ENV):
        raise ConfigError(
            f"{variable} is not set, and provider={provider} was told to use it.\n"
            "  Set it, or say that no key is needed: provider.api_key_env=null"
        )
    return _sendable(key, variable, provider) if key and variable else NO_KEY


def _sendable(key: str, variable: str, provider: str) -> str:
    if key != key.strip() or not key.isascii() or not key.isprintable():
        raise ConfigError(
            f"{variable} has white space around the key, or a character that no header can carry.\n"
            f"  Set it again without; provider={provider} cannot send it so"
        )
    return key


def checked_url(url: str, parameter: str, provider: str) -> str:
    """`url`, if it is one.

    Raises:
        ConfigError: It is not.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(
            f"provider={provider}: {parameter} {url!r} is not an address.\n"
            f"  Write it in full: provider.{parameter}=http://localhost:8000/v1"
        )
    return url


def host(url: str) -> str:
    """Host and port, without the user name and password a URL may carry."""
    return urlsplit(url).netloc.rpartition("@")[2]
