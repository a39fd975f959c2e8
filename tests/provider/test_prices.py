"""What calls cost, where that is known."""

import pytest

from vcmp.provider.metering.prices import cost_usd

OPENAI = "https://api.openai.com/v1"


def test_a_call_costs_its_tokens():
    """gpt-4o-mini: $0.15 and $0.60 for a million, cached input half."""
    assert cost_usd("gpt-4o-mini", 1_000_000, 0, url=OPENAI) == pytest.approx(0.15)
    assert cost_usd("gpt-4o-mini-2024-07-18", 0, 1_000_000) == pytest.approx(0.60)
    assert cost_usd("gpt-4o-mini", 1_000_000, 0, 1_000_000) == pytest.approx(0.075)


@pytest.mark.parametrize(
    ("model", "url"),
    [
        ("vcmp-scripted", "http://127.0.0.1:8000/v1"),
        ("meta-llama/Llama-3.1-8B-Instruct", "http://127.0.0.1:8000/v1"),
        ("no-such-model", OPENAI),
        ("", OPENAI),
    ],
)
def test_an_unknown_price_is_not_zero(model, url):
    """And a model of one's own does not cost what a stranger takes for it."""
    assert cost_usd(model, 10, 10, url=url) is None


def test_unknown_tokens_have_no_price():
    """Half a price is none."""
    assert cost_usd("gpt-4o-mini", None, 10) is None
    assert cost_usd("gpt-4o-mini", 10, None) is None
