"""How much work lies ahead, before it begins."""

from collections.abc import Callable, Iterator

from poseprep.find import Video
from poseprep.video import survey_frames
from poseprep.workers import run_tasks

_SECONDS = 5.0


def expected_frames(videos: list[Video]) -> int:
    """About how many frames videos hold, from headers; 0 where that is not known.

    A process of its own opens them: it may crash or hang over one of them.
    """
    if not videos:
        return 0
    reports = run_tasks(_surveyor, [videos], 1, timeout=4 * _SECONDS)
    return next((report.value for report in reports if isinstance(report.value, int)), 0)


def _surveyor() -> Callable[[list[Video]], Iterator[int]]:
    return _survey


def _survey(videos: list[Video]) -> Iterator[int]:
    yield survey_frames(videos, seconds=_SECONDS)
