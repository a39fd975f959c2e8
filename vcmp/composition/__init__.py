"""Hydra composes: from a command line to one composed job for each variant."""

from vcmp.composition.explanations import explain
from vcmp.composition.jobs import Job, compose, refuse_explosion
from vcmp.composition.schema import GateConfig

__all__ = ["GateConfig", "Job", "compose", "explain", "refuse_explosion"]
