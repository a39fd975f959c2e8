"""The scorers that a job is judged by, built and checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vcmp import scorers
from vcmp.composition import Job
from vcmp.errors import ConfigError
from vcmp.targets import Builder
from vcmp.types import ScorerCard

CANARY = "canary"
"""Key of a scorer under which its known-bad answer stands; no scorer sees it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Yardstick:
    """The scorers of a job, by name."""

    scorers: Mapping[str, Any]
    """Ready for the loop."""
    cards: Mapping[str, ScorerCard]
    pairwise: Mapping[str, Any]
    """Judges that compare two outputs."""
    known_bad: Mapping[str, str | None]
    """What stands under `canary`, where it does."""


def build_scorers(job: Job, builder: Builder) -> Yardstick:
    """The scorers of the job; a null in the file takes an inherited one out."""
    chosen: dict[str, Any] = {}
    pairwise: dict[str, Any] = {}
    cards: dict[str, ScorerCard] = {}
    known_bad: dict[str, str | None] = {}
    for name, node in job.config["scorers"].items():
        where = f"scorers={job.choices.get('scorers')}, {name}"
        if node is None:
            continue
        try:
            scorer = builder.build({k: v for k, v in node.items() if k != CANARY}, where)
            if getattr(scorer, "pairwise", False):
                pairwise[name] = scorer
            else:
                chosen[name] = scorers.adapt(scorer)
                cards[name] = scorers.card_of(scorer)
            if CANARY in node:
                known_bad[name] = _canary(node[CANARY], scorers.card_of(scorer), where)
        except ConfigError as error:
            text = str(error)
            raise ConfigError(text if text.startswith(where) else f"{where}: {text}") from error
    return Yardstick(scorers=chosen, cards=cards, pairwise=pairwise, known_bad=known_bad)


def _canary(answer: Any, card: ScorerCard, where: str) -> str | None:
    """The known-bad answer that a judge is to be shown; None when it is to be shown none."""
    if not card.judge:
        raise ConfigError(f"{where}: asks no model, and only judges have a canary. Remove it.")
    if answer is None or (isinstance(answer, str) and answer.strip()):
        return answer
    raise ConfigError(
        f"{where}: canary is {answer!r}. Write an answer that the judge must call bad, or null."
    )
