"""What a call cost, from the price list of genai-prices."""

import logging


def cost_usd(
    model: str,
    input_tokens: int | None,
    output_tokens: int | None,
    cached_tokens: int = 0,
    *,
    url: str = "",
) -> float | None:
    """Price of one call in US dollars; None when the model, or a count, is unknown.

    Args:
        model: The model that answered.
        input_tokens: All of them, the cached ones included.
        output_tokens: Reasoning tokens included.
        cached_tokens: How many of the input tokens were read from the provider's cache.
        url: Where it answered. A host that the price list does not know has OpenAI's prices for
            OpenAI's models and none for others: a model of one's own is not charged a stranger's
            price because it has the same name.
    """
    if not model or input_tokens is None or output_tokens is None:
        return None
    from genai_prices import Usage

    # an incomplete model price is logged; here it is simply unknown
    logging.getLogger("genai_prices").setLevel(logging.ERROR)
    cached = min(cached_tokens, input_tokens)
    usage = Usage(
        input_tokens=input_tokens, output_tokens=output_tokens, cache_read_tokens=cached or None
    )
    price = _price(usage, model, {"provider_api_url": url}) if url else None
    return _price(usage, model, {"provider_id": "openai"}) if price is None else price


def _price(usage: object, model: str, provider: dict[str, str]) -> float | None:
    from genai_prices import calc_price

    try:
        return float(calc_price(usage, model, **provider).total_price)
    except (LookupError, ValueError):
        return None
