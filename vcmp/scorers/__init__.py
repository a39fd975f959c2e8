"""Scorers: each judges one output of one case by a rule, and needs no model.

A scorer is a frozen dataclass whose `__call__(case, output)` gives a score in [0, 1], higher is
better, and raises when it cannot tell. Any other callable becomes one through `adapt`.
"""

from vcmp.scorers.adapters import adapt, coerce
from vcmp.scorers.cards import card_of
from vcmp.scorers.expected import ExactMatch, FuzzyMatch, Mentions, Overlap, expectation_of
from vcmp.scorers.form import Concise, Contains, JsonSchema, Matches, MaxLength
from vcmp.scorers.tone import Empathy, Phrases, Polite, Refusal

__all__ = [
    "Concise",
    "Contains",
    "Empathy",
    "ExactMatch",
    "FuzzyMatch",
    "JsonSchema",
    "Matches",
    "MaxLength",
    "Mentions",
    "Overlap",
    "Phrases",
    "Polite",
    "Refusal",
    "adapt",
    "card_of",
    "coerce",
    "expectation_of",
]
