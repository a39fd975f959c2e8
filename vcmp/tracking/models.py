"""A version in MLflow: one LoggedModel."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from vcmp.digests import digest_of
from vcmp.tracking.sessions import Session
from vcmp.tracking.spans import clean, dump
from vcmp.types import Evaluation, Revision

PARAM_LENGTH = 6000
"""Characters of a parameter's value that every kind of MLflow store keeps."""


def model_name(version: str) -> str:
    """The name of a version's LoggedModel: MLflow refuses some characters."""
    return re.sub(r"""[/:.%"']""", "_", clean(version))


def identity(evaluation: Evaluation) -> str:
    """Digest of what makes two evaluations ones of the same version.

    Who answered is part of it: numbers of a scripted demo and of a language model must not meet
    under one LoggedModel.
    """
    version, answerer = evaluation.version, evaluation.answerer
    revision = version.revision
    where = [revision.commit, revision.dirty] if revision else []
    return digest_of(
        [version.name, version.variant.params, where, answerer.name, answerer.scripted]
    )


def find_model(session: Session, evaluation: Evaluation) -> str | None:
    wanted = identity(evaluation)
    models = session.client.search_logged_models(
        [session.experiment_id], filter_string=f"name = '{model_name(evaluation.version.name)}'"
    )
    for model in models:
        if model.tags.get("vcmp.digest") == wanted:
            if str(model.status) != "READY":  # it was broken off between the two steps
                session.client.finalize_logged_model(model.model_id, "READY")
            return str(model.model_id)
    return None


def create_model(session: Session, evaluation: Evaluation) -> str:
    params = dict(flatten(clean(evaluation.version.variant.params)))
    model = session.client.create_logged_model(
        session.experiment_id,
        name=model_name(evaluation.version.name),
        tags=version_tags(evaluation),
        params={key: _cut(value) for key, value in params.items()},
        model_type="agent",
    )
    session.client.finalize_logged_model(model.model_id, "READY")
    return str(model.model_id)


def flatten(params: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Parameters with dotted names, their values as text."""
    for key, value in params.items():
        if isinstance(value, Mapping) and value:
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value if isinstance(value, str) else dump(value)


def _cut(text: str) -> str:
    """What MLflow keeps of a long parameter; its full text is in the run's params.json."""
    return text if len(text) <= PARAM_LENGTH else text[: PARAM_LENGTH - 1] + "…"


def version_tags(evaluation: Evaluation) -> dict[str, str]:
    version, answerer = evaluation.version, evaluation.answerer
    tags = {
        "vcmp.app": version.app,
        "vcmp.variant": version.variant.name,
        "vcmp.version": version.name,
        "vcmp.digest": identity(evaluation),
        "vcmp.answered_by": answerer.name,
        "vcmp.scripted": "true" if answerer.scripted else "false",
    }
    return dict(clean(tags | _git_tags(version.revision)))


def _git_tags(revision: Revision | None) -> dict[str, str]:
    """The tags MLflow itself gives to what was made in a git repository."""
    if revision is None:
        return {}
    tags = {
        "mlflow.source.git.commit": revision.commit,
        "mlflow.source.git.branch": revision.branch,
        "mlflow.source.git.dirty": "true" if revision.dirty else "false",
        "mlflow.source.git.repoURL": revision.remote_url,
        "vcmp.dirty": revision.dirty,
    }
    return {key: value for key, value in tags.items() if value}
