"""The support agent as a plain function: any callable is an agent."""

from functools import cache

from openai import OpenAI


def answer(
    question: str,
    *,
    prompt: str,
    model: str = "gpt-4o-mini",
    temperature: float = 0.3,
    max_tokens: int = 100,
) -> str:
    """Answer one question; the configuration comes as keywords (`_partial_: true`)."""
    completion = _client().chat.completions.create(
        model=model,
        messages=[{"role": "system", "content": prompt}, {"role": "user", "content": question}],
        temperature=temperature,
        max_tokens=max_tokens,
    )
    return completion.choices[0].message.content or ""


@cache
def _client() -> OpenAI:
    return OpenAI()
