"""The judge that is shown two answers and says which is the better one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from vcmp.errors import ConfigError
from vcmp.judges.criteria import Judge
from vcmp.judges.prompts import messages_for, question_of
from vcmp.judges.replies import RATIONALE, ask
from vcmp.judges.votes import Judgement, all_of, majority, mean_agreement, poll
from vcmp.types import Case, Preference

CHOICE: Mapping[str, Any] = {"type": "string", "enum": ["first", "second", "tie"]}
_REPLY = '{"rationale": "one or two sentences", "result": "first", "second" or "tie"}'
_FIRST = {"first": 1.0, "tie": 0.5, "second": 0.0}
"""What a reply is worth to the answer that was shown first."""


@dataclass(frozen=True)
class Prefer(Judge):
    """Which of two outputs meets a criterion better.

    It is asked twice, with either output first, because models lean to a place. When the two
    replies disagree the place has decided, so it is a tie: the conservative approach of Zheng et
    al. (2023, "Judging LLM-as-a-judge with MT-Bench and Chatbot Arena", section 3.4).

    Raises:
        ConfigError: The criterion is empty, at construction.
    """

    pairwise: ClassVar[bool] = True
    """Compares a candidate's outputs with a baseline's, where a scorer looks at one of them."""

    criterion: str

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.criterion.strip():
            raise ConfigError("Prefer: criterion is empty. Say in words what the better answer is.")

    async def __call__(self, case: Case, baseline: Any, candidate: Any) -> Preference:
        """Compare two outputs.

        Returns:
            A preference without a metric's name, which is for those to give who configured this.

        Raises:
            JudgeError: One of the two replies was of no use.
            LookupError: The case has no such question.
        """
        orders = {"baseline": (baseline, candidate), "candidate": (candidate, baseline)}
        judgements = await all_of(self._choose(case, *shown) for shown in orders.values())
        values, reasons = [], []
        for first, judgement in zip(orders, judgements, strict=True):
            worth = _FIRST[judgement.value]
            values.append(worth if first == "candidate" else 1 - worth)
            reasons.append(f"{first} shown first: {judgement.value}. {judgement.rationale}")
        agreed = values[0] == values[1]
        return Preference(
            metric="",
            case_id=case.id,
            value=values[0] if agreed else 0.5,
            swayed=not agreed,
            rationale="\n".join(reasons),
            agreement=mean_agreement(judgements),
        )

    async def _choose(self, case: Case, first: Any, second: Any) -> Judgement:
        sections = {"Criterion": self.criterion, "Question": question_of(case, self.question)}
        answers = {"First answer": first, "Second answer": second}
        messages = messages_for(_TASK, _REPLY, sections, answers)
        return await poll(
            lambda: ask(
                messages,
                {"rationale": RATIONALE, "result": CHOICE},
                model=self.model,
                temperature=self.temperature,
            ),
            self.votes,
            "result",
            majority,
        )


_TASK = (
    "You compare two answers to one question by a criterion, and by nothing else. Neither length, "
    "nor form, nor the order in which they are shown counts. First: the first answer meets the "
    "criterion better. Second: the second one does. Tie: neither does."
)
