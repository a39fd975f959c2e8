"""Pins: the version that the candidates of an app are compared with for good, its anchor."""

from collections.abc import Iterator
from typing import Any

from vcmp.errors import TrackingError
from vcmp.tracking.catalog import ANCHOR, PAGE, RecordedVersion, describe, find_version
from vcmp.tracking.evaluations import quoted
from vcmp.tracking.sessions import Session, locked, pages
from vcmp.tracking.spans import clean


def pin(session: Session, version: str) -> RecordedVersion:
    """Make a version the one anchor of its app; another one's pin is taken off."""
    wanted = find_version(session, version)
    if not wanted.app:
        raise TrackingError(
            f"version {version!r} was not recorded by vcmp, so nothing can be compared with it.\n"
            "  Pin one that was: vcmp versions shows them"
        )
    with locked(session.store):
        for model in list(_pinned(session, wanted.app)):
            if model.model_id != wanted.model_id:
                session.client.delete_logged_model_tag(model.model_id, ANCHOR)
        session.client.set_logged_model_tags(wanted.model_id, {ANCHOR: "true"})
    return wanted


def unpin(session: Session, app: str) -> RecordedVersion | None:
    """Take the pin off the app's anchor."""
    with locked(session.store):
        models = list(_pinned(session, app))
        for model in models:
            session.client.delete_logged_model_tag(model.model_id, ANCHOR)
    return describe(models[0]) if models else None


def anchor(session: Session, app: str) -> RecordedVersion | None:
    """The version that is pinned."""
    return next((describe(model) for model in _pinned(session, app)), None)


def _pinned(session: Session, app: str) -> Iterator[Any]:
    conditions = f"tags.`{ANCHOR}` = 'true' AND tags.`vcmp.app` = {quoted(clean(app))}"
    return pages(
        lambda token: session.client.search_logged_models(
            [session.experiment_id],
            filter_string=conditions,
            max_results=PAGE,
            page_token=token,
        )
    )
