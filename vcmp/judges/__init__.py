"""Judges: scorers that ask a model.

Each asks an OpenAI-compatible endpoint, the one that OPENAI_BASE_URL and OPENAI_API_KEY name, for a
JSON object with a rationale and a result. A judge that gets none raises, so that the case is
unscored.
"""

from vcmp.judges.criteria import Correctness, Guidelines, Judge, RelevanceToQuery, Rubric
from vcmp.judges.replies import JudgeError

__all__ = ["Correctness", "Guidelines", "Judge", "JudgeError", "RelevanceToQuery", "Rubric"]
