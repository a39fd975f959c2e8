"""Another revision of the project, evaluated by its own code with today's cases and scorers.

trees     git worktrees, none of which is left behind
process   the evaluation, by a process of its own in such a tree
"""

from vcmp.worktree.process import Ended, evaluate
from vcmp.worktree.trees import commit_of

__all__ = ["Ended", "commit_of", "evaluate"]
