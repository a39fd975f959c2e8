"""Judges: scorers that ask a model, and one that compares two outputs.

Each asks an OpenAI-compatible endpoint, the one that OPENAI_BASE_URL and OPENAI_API_KEY name, for a
JSON object with a rationale and a result. A judge that gets none raises, so that the case is
unscored.

    criteria  judges of one output
    pairwise  a judge of two
    prompts   what is asked
    votes     asking several times
    replies   asking until there is a judgement
"""

from vcmp.judges.criteria import Correctness, Guidelines, Judge, RelevanceToQuery, Rubric
from vcmp.judges.pairwise import Prefer
from vcmp.judges.replies import JudgeError

__all__ = [
    "Correctness",
    "Guidelines",
    "Judge",
    "JudgeError",
    "Prefer",
    "RelevanceToQuery",
    "Rubric",
]
