"""A customer support agent: one question, one answer."""

from typing import Literal

from openai import AsyncOpenAI


class SupportAgent:
    """Answers with one call of Chat Completions or of the Responses API."""

    def __init__(
        self,
        prompt: str,
        model: str = "gpt-4o-mini",
        temperature: float = 0.3,
        max_tokens: int = 100,
        api: Literal["chat", "responses"] = "chat",
    ) -> None:
        if api not in ("chat", "responses"):
            raise ValueError(f"api is {api!r}, not 'chat' or 'responses'")
        self.prompt = prompt
        self.model = model
        self.temperature = temperature
        self.max_tokens = max_tokens
        self.api = api
        # one client for all questions: making one costs as much as ten calls
        self.client = AsyncOpenAI()

    async def __call__(self, question: str) -> str:
        """Answer one question."""
        return await (self._respond(question) if self.api == "responses" else self._chat(question))

    async def _chat(self, question: str) -> str:
        completion = await self.client.chat.completions.create(
            model=self.model,
            messages=[
                {"role": "system", "content": self.prompt},
                {"role": "user", "content": question},
            ],
            temperature=self.temperature,
            max_tokens=self.max_tokens,
        )
        return completion.choices[0].message.content or ""

    async def _respond(self, question: str) -> str:
        response = await self.client.responses.create(
            model=self.model,
            instructions=self.prompt,
            input=question,
            temperature=self.temperature,
            max_output_tokens=self.max_tokens,
        )
        return response.output_text
