"""A support agent that traces itself with MLflow: the answer, and the retrieval before it."""

import re

import mlflow
from mlflow.entities import Document, SpanType
from openai import AsyncOpenAI

ARTICLES = {
    "help/shipping": "Where is my package? Tracking, delivery times, late and lost packages.",
    "help/returns": "Return, exchange or refund an item; damaged and wrong items.",
    "help/account": "Sign in, reset a password, change an email address, close an account.",
    "help/billing": "Payment methods, charges, invoices, promo codes and gift cards.",
    "help/plus": "The Plus membership subscription: cancel, pause, change or renew it.",
    "help/products": "Warranty, assembly, care, spare parts and availability of products.",
}


class TracedAgent:
    """Answers with one call of Chat Completions, given the help articles nearest to the question.

    Under MLflow each answer is a trace with a retriever span in it.
    """

    def __init__(
        self,
        prompt: str,
        model: str = "gpt-4o-mini",
        temperature: float = 0.3,
        max_tokens: int = 100,
        n_articles: int = 2,
    ) -> None:
        self.prompt = prompt
        self.model = model
        self.temperature = temperature
        self.max_tokens = max_tokens
        self.n_articles = n_articles
        self.client = AsyncOpenAI()

    @mlflow.trace(name="support", span_type=SpanType.AGENT)
    async def __call__(self, question: str) -> str:
        """Answer one question."""
        articles = "\n".join(f"[{d.id}] {d.page_content}" for d in self.retrieve(question))
        completion = await self.client.chat.completions.create(
            model=self.model,
            messages=[
                {"role": "system", "content": self.prompt},
                {"role": "system", "content": f"Help articles:\n{articles}"},
                {"role": "user", "content": question},
            ],
            temperature=self.temperature,
            max_tokens=self.max_tokens,
        )
        return completion.choices[0].message.content or ""

    def retrieve(self, question: str) -> list[Document]:
        """The articles that share most words with the question."""
        with mlflow.start_span("retrieve", span_type=SpanType.RETRIEVER) as span:
            span.set_inputs({"question": question})
            ranked = sorted(ARTICLES, key=lambda id: -_overlap(question, ARTICLES[id]))
            found = [Document(ARTICLES[id], id=id) for id in ranked[: self.n_articles]]
            span.set_outputs(found)
        return found


def _overlap(question: str, article: str) -> int:
    asked, said = (set(re.findall(r"\w{4,}", text.lower())) for text in (question, article))
    return len(asked & said)
