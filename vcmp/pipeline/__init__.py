"""What costs money: evaluate plans, and keep every result in files.

sweeps      plans that run together, and what to conclude from them
plans       a plan from plain Python objects
running     a sweep from its first call to its last file
gathering   what it is judged with and need not be run
contests    the pairwise judges, who are asked last
asking      plans through the evaluation loop
"""

from vcmp.pipeline.asking import evaluate
from vcmp.pipeline.plans import build_plan
from vcmp.pipeline.running import run
from vcmp.pipeline.sweeps import Follow, Sweep

__all__ = ["Follow", "Sweep", "build_plan", "evaluate", "run"]
