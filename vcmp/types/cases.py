"""What an agent is asked: cases, and the datasets that hold them."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from vcmp.digests import digest_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One row of a dataset: what goes into the agent and what is expected of it."""

    id: str
    inputs: Mapping[str, Any]
    """The agent is called with these as keyword arguments."""
    expectations: Mapping[str, Any] = field(default_factory=dict)
    """What scorers may look at; the agent never sees it."""
    cluster: str = ""
    """Cases that belong together (paraphrases, turns of a conversation) share it; "" is alone."""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Named cases with unique ids."""

    name: str
    cases: tuple[Case, ...]

    @property
    def digest(self) -> str:
        """Digest of the content of the cases; neither their order nor the name counts."""
        rows = ([c.id, c.inputs, c.expectations, c.cluster, sorted(c.tags)] for c in self.cases)
        return digest_of(sorted((list(row) for row in rows), key=lambda row: str(row[0])))

    def shuffled(self, seed: int) -> tuple[Case, ...]:
        """The cases in the order in which they are evaluated: random, the same for every version,
        and whatever their order in the file."""
        cases = sorted(self.cases, key=lambda case: case.id)
        random.Random(seed).shuffle(cases)
        return tuple(cases)


def prefix(n_cases: int, look: int, looks: int) -> int:
    """How many cases, in the order in which they are evaluated, one of several looks sees."""
    return -(-n_cases * look // looks)
