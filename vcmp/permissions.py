"""Which code a configuration may name in `_target_`.

`_target_` is code. Modules of the project and what `trust:` lists may be named wholly. Of vcmp and
of MLflow only the classes that are meant for it: their other functions import modules, run git and
write files by themselves, and would do so for anybody who may change a line of YAML.
"""

import sys
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

VCMP = ("vcmp.gates", "vcmp.judges", "vcmp.provider", "vcmp.scorers", "vcmp.tracking")
MLFLOW = (
    "mlflow.genai.judges",
    "mlflow.genai.scorers",
    *(f"mlflow.genai.scorers.{kit}" for kit in ("deepeval", "phoenix", "ragas", "trulens")),
)
NO_CODE = ("conf", "outputs")
"""Folders of the project that are changed without a look for code."""
FOREIGN_STATE = "mlflow.genai.scorers.registry"
"""Reads scorers, which are code, from a store, and deletes them there."""


@dataclass(frozen=True, slots=True)
class Permissions:
    """What may be named in one project."""

    project: Path
    """The folder whose modules are the project's own."""
    trust: tuple[str, ...] = ()
    """Further modules that may be named."""

    def may_import(self, name: str) -> bool:
        """Whether a target may be looked for: its module's code runs when it is imported."""
        module = name.rpartition(".")[0]
        packaged = any(_below(module, root) for root in VCMP) or module in MLFLOW
        plain = not any(part.startswith("__") for part in name.split("."))
        return plain and (self.is_own(name) or packaged)

    def may_call(self, target: Any, name: str) -> bool:
        """Whether what was found under `name` may be called; it may come from anywhere."""
        home = getattr(target, "__module__", None)
        if not isinstance(home, str):
            return False
        if self.is_own(home):
            return True
        kind = isinstance(target, type)
        if any(_below(home, root) for root in VCMP):
            return kind
        direct = name.rpartition(".")[0] in MLFLOW and home != FOREIGN_STATE
        return any(_below(home, root) for root in MLFLOW[:2]) and (kind or direct)

    def may_pass(self, step: Any) -> bool:
        """Whether a dotted name may go through `step` on its way: not through other modules."""
        return not isinstance(step, ModuleType) or self.is_own(step.__name__)

    def is_own(self, name: str) -> bool:
        """Whether a module, or a name in it, is the project's own or trusted."""
        return any(_below(name, root) for root in self.trust) or self._is_own(name.split(".")[0])

    def _is_own(self, top: str) -> bool:
        """Whether the import of `top` would take it from the project's folder.

        A folder of the project called `subprocess` does not make that module the project's, nor
        does a package that is installed in a folder below, or that a link leads to.
        """
        root = self.project.resolve()
        folder, file = root / top, root / f"{top}.py"
        if not (folder.is_dir() or file.is_file()) or is_taken(top) or top in NO_CODE:
            return False
        return all(p.resolve() in (folder / "__init__.py", folder, file) for p in _places(top))


def is_taken(top: str) -> bool:
    """Whether a name belongs to Python, vcmp or MLflow, whatever the project calls its folders."""
    return top in sys.stdlib_module_names or top in ("vcmp", "mlflow")


def _places(top: str) -> list[Path]:
    """Where a top module, or the parts of a package without a file of its own, would come from."""
    spec = None
    with suppress(ImportError, ValueError):
        spec = find_spec(top)
    if spec is None:
        return []
    if spec.has_location and spec.origin:
        return [Path(spec.origin)]
    return [Path(place) for place in spec.submodule_search_locations or ()] or [Path(top)]


def _below(name: str, root: str) -> bool:
    return name == root or name.startswith(f"{root}.")
