"""Where the files of a project may lie."""

from pathlib import Path

from vcmp.errors import ConfigError


def inside(
    project: Path,
    path: str | Path,
    where: str,
    advice: str = "Keep it inside, or name it on the command line.",
) -> Path:
    """The place that `path` leads to, links followed, when it lies in the project.

    Args:
        project: The folder that relative paths start at.
        path: As it was written.
        where: What the message begins with: the key, or the file, that says `path`.
        advice: What the message ends with.

    Raises:
        ConfigError: It leads out of the project, or nowhere.
    """
    root = project.resolve()
    try:
        place = (root / path).resolve()
    except (OSError, RuntimeError, ValueError) as error:  # links in a circle, a NUL
        raise ConfigError(f"{where}: {str(path)!r} leads nowhere. Correct the path.") from error
    if not place.is_relative_to(root):
        raise ConfigError(f"{where}: {str(path)!r} is outside of the project. {advice}")
    return place
