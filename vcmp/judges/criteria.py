"""The judges: each a criterion, the words it is put in, and how the replies become a score."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median_low
from typing import Any, ClassVar

from vcmp.errors import ConfigError
from vcmp.judges.prompts import facts_of, messages_for, question_of
from vcmp.judges.replies import RATIONALE, YES_NO, ask
from vcmp.judges.votes import Judgement, all_of, check_votes, majority, mean_agreement, poll
from vcmp.types import Case, Score

_YES_NO_REPLY = '{"rationale": "one or two sentences", "result": "yes" or "no"}'


@dataclass(frozen=True, kw_only=True)
class Judge:
    """What all judges have in common.

    Raises:
        ConfigError: The number of votes is not odd, at construction.
    """

    judge: ClassVar[bool] = True

    model: str = "gpt-4o-mini"
    question: str | None = "question"
    """The input of the case that is the question; None shows all inputs as JSON."""
    temperature: float | None = 0.0
    """None leaves it to the model; reasoning models take no other than their own."""
    votes: int = 1
    """How often each question is asked; the majority counts, of grades the median."""

    def __post_init__(self) -> None:
        check_votes(type(self).__name__, self.votes)

    async def _decide(self, task: str, sections: Mapping[str, str], output: Any) -> Judgement:
        """Yes or no, and why."""
        messages = messages_for(task, _YES_NO_REPLY, sections, {"Answer": output})
        return await poll(
            lambda: ask(
                messages,
                {"rationale": RATIONALE, "result": YES_NO},
                model=self.model,
                temperature=self.temperature,
            ),
            self.votes,
            "result",
            majority,
        )

    async def _share(
        self, task: str, each: Mapping[str, Mapping[str, str]], output: Any, failed: str
    ) -> Score:
        """Share of the sections that get a yes, each judged by a call of its own.

        The rationale names the others, after the word `failed`; where there are none, it says why.
        """
        judgements = await all_of(
            self._decide(task, sections, output) for sections in each.values()
        )
        reasons: dict[str, list[str]] = {"yes": [], "no": []}
        for item, judgement in zip(each, judgements, strict=True):
            reasons[judgement.value].append(f"{item} ({judgement.rationale})")
        word, told = failed, reasons["no"]
        if not told:
            word, told = failed.removeprefix("not "), reasons["yes"]
        return Score(
            value=len(reasons["yes"]) / len(each),
            rationale="\n".join(f"{word}: {reason}" for reason in told),
            agreement=mean_agreement(judgements),
        )


@dataclass(frozen=True)
class RelevanceToQuery(Judge):
    """1 when the output addresses the question without straying from it, 0 when not."""

    async def __call__(self, case: Case, output: Any) -> Score:
        sections = {"Question": question_of(case, self.question)}
        judgement = await self._decide(_RELEVANCE, sections, output)
        return Score(
            value=float(judgement.value == "yes"),
            rationale=judgement.rationale,
            agreement=judgement.agreement,
        )


@dataclass(frozen=True)
class Guidelines(Judge):
    """Share of the rules that the output keeps; each rule is judged by itself, in one call.

    Raises:
        ConfigError: There is no rule, or an empty one, at construction.
    """

    guidelines: Sequence[str]

    def __post_init__(self) -> None:
        super().__post_init__()
        rules = self.rules
        if not rules or not all(isinstance(rule, str) and rule.strip() for rule in rules):
            raise ConfigError(
                f"Guidelines: guidelines is {self.guidelines!r}. "
                "Give a list of texts, none of them empty."
            )

    @property
    def rules(self) -> tuple[str, ...]:
        """The rules, also where `guidelines` is a single one."""
        return (self.guidelines,) if isinstance(self.guidelines, str) else tuple(self.guidelines)

    async def __call__(self, case: Case, output: Any) -> Score:
        question = question_of(case, self.question)
        each = {rule: {"Rule": rule, "Question": question} for rule in self.rules}
        return await self._share(_RULE, each, output, "not met")


@dataclass(frozen=True)
class Correctness(Judge):
    """Share of the expected facts that the output supports; each is judged in a call of its own.

    The expectation is a list of facts, or one. A case without it is unscored.
    """

    expectation: str = "expected_facts"

    async def __call__(self, case: Case, output: Any) -> Score:
        question = question_of(case, self.question)
        facts = facts_of(case, self.expectation)
        each = {fact: {"Expected facts": f"- {fact}", "Question": question} for fact in facts}
        return await self._share(_FACT, each, output, "not supported")


@dataclass(frozen=True)
class Rubric(Judge):
    """A whole number from a scale, by a rubric in words, mapped linearly to [0, 1].

    Raises:
        ConfigError: The rubric is empty, or the scale is not two whole numbers, the lower first,
            at construction.
    """

    rubric: str
    scale: Sequence[int] = (1, 5)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.rubric.strip():
            raise ConfigError("Rubric: rubric is empty. Say in words what each number stands for.")
        whole = all(isinstance(end, int) for end in self.scale)
        if not whole or len(self.scale) != 2 or self.scale[0] >= self.scale[1]:
            raise ConfigError(
                f"Rubric: scale is {self.scale!r}. Give two whole numbers, the lower one first."
            )

    async def __call__(self, case: Case, output: Any) -> Score:
        low, high = self.scale
        sections = {"Rubric": self.rubric, "Question": question_of(case, self.question)}
        example = f'{{"rationale": "one or two sentences", "score": {low} to {high}}}'
        messages = messages_for(
            _RUBRIC.format(low=low, high=high), example, sections, {"Answer": output}
        )
        grade = {"type": "integer", "minimum": low, "maximum": high}
        judgement = await poll(
            lambda: ask(
                messages,
                {"rationale": RATIONALE, "score": grade},
                model=self.model,
                temperature=self.temperature,
            ),
            self.votes,
            "score",
            median_low,
        )
        return Score(
            value=(judgement.value - low) / (high - low),
            rationale=judgement.rationale,
            agreement=judgement.agreement,
        )


_RELEVANCE = (
    "You judge whether an answer addresses the question it was given. Yes: it deals with what was "
    "asked, all of it, and with nothing that has no bearing on it. Whether it is right does not "
    "matter."
)
_RULE = (
    "You judge whether an answer to a question keeps one rule. Judge this rule only. Yes: it is "
    "kept, or does not apply. When you are in doubt, the result is no."
)
_FACT = (
    "You judge whether an answer to a question supports an expected fact. Yes: the answer states "
    "it or clearly implies it, in whatever words. No: it is missing or contradicted."
)
_RUBRIC = (
    "You grade an answer to a question by a rubric, with a whole number from {low} to {high}. "
    "Apply the rubric and nothing else."
)
