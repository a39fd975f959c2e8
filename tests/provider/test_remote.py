"""Providers that only point the environment somewhere else."""

import os

import pytest

from vcmp.errors import ConfigError
from vcmp.provider import Compatible, OpenAI

NAMES = ("OPENAI_BASE_URL", "OPENAI_API_BASE", "OPENAI_API_KEY")


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch):
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def environment() -> tuple[str | None, ...]:
    return tuple(os.environ.get(name) for name in NAMES)


def test_the_environment_is_set_while_entered_and_restored_after(monkeypatch):
    """Unchanged code of the SDK, and MLflow's judges, find the address and the key."""
    monkeypatch.setenv("GATEWAY_KEY", "abc")
    monkeypatch.setenv("OPENAI_API_KEY", "mine")

    with OpenAI(api_key_env="GATEWAY_KEY", base_url="https://gateway.example/v1"):
        assert environment() == ("https://gateway.example/v1",) * 2 + ("abc",)

    assert environment() == (None, None, "mine")


def test_openai_keeps_the_address_of_the_environment(monkeypatch):
    """Who has a gateway in the environment means it."""
    monkeypatch.setenv("OPENAI_API_KEY", "abc")
    assert OpenAI().answerer.description == "OpenAI API at api.openai.com"

    monkeypatch.setenv("OPENAI_BASE_URL", "https://gateway.example/v1")
    assert OpenAI().answerer.description == "OpenAI API at gateway.example"


def test_openai_needs_its_key():
    """Before the first call, and never by silently answering with something else."""
    with pytest.raises(ConfigError) as caught, OpenAI():
        pass
    assert str(caught.value) == (
        "OPENAI_API_KEY is not set, and provider=openai needs it.\n"
        "  Set it, or try without a key: provider=scripted"
    )

    with pytest.raises(ConfigError, match=r"^MY_KEY is not set, and provider=openai needs it"):
        OpenAI(api_key_env="MY_KEY").__enter__()


@pytest.mark.parametrize("api_key_env", [None, "OPENAI_API_KEY"])
def test_a_compatible_server_may_need_no_key(api_key_env):
    """The SDK insists on one, so it gets one that says nothing."""
    with Compatible("http://localhost:11434/v1", api_key_env=api_key_env):
        assert os.environ["OPENAI_API_KEY"] == "none"


def test_a_key_that_was_named_must_be_there():
    """Who names a variable does not want to go without."""
    with pytest.raises(ConfigError) as caught, Compatible("http://h/v1", api_key_env="VLLM_KEY"):
        pass
    assert str(caught.value) == (
        "VLLM_KEY is not set, and provider=compatible was told to use it.\n"
        "  Set it, or say that no key is needed: provider.api_key_env=null"
    )


@pytest.mark.parametrize("key", ["sk-1 ", "sk-1\n", " sk-1", "sk-1\nsk-2", "schlüssel"])
@pytest.mark.parametrize("provider", [OpenAI(), Compatible("http://127.0.0.1:9/v1")])
def test_a_key_that_no_header_may_have_is_refused(monkeypatch, key, provider):
    """It would look as if nobody were there."""
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(ConfigError) as refusal, provider:
        pass

    assert str(refusal.value) == (
        "OPENAI_API_KEY has white space around the key, or a character that no header can carry.\n"
        f"  Set it again without; provider={provider.answerer.name} cannot send it so"
    )


def test_an_address_is_written_in_full():
    """The SDK's own error would come with the first call."""
    with pytest.raises(ConfigError) as caught:
        Compatible("localhost:8000")
    assert str(caught.value) == (
        "provider=compatible: base_url 'localhost:8000' is not an address.\n"
        "  Write it in full: provider.base_url=http://localhost:8000/v1"
    )


def test_nothing_that_is_shown_holds_a_secret(monkeypatch):
    """Neither the key nor a password in the address."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    with Compatible("http://user:secret@host:8000/v1") as provider:
        shown = f"{provider!r} {vars(provider)} {provider.answerer}"
        assert "sk-secret" not in shown
        assert provider.answerer.description == "OpenAI-compatible API at host:8000"
        assert "secret" not in repr(provider)
