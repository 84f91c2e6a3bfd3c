"""What an extraction takes, for the estimate before its start."""

from collections.abc import Mapping
from typing import Any

# Measured with `slr extract` on drawn and real videos.
BYTES_A_FRAME = 2800
# On a CPU, by what a landmarker says of itself: its name, and whether it is told to follow.
# Measured with `slr bench extract`.
_SECONDS_A_FRAME = {
    ("mediapipe", False): 0.045,  # it always follows
    ("batched", False): 0.048,
    ("batched", True): 0.040,
}


def seconds_a_frame(landmarker: Mapping[str, Any]) -> float | None:
    """Of one core; None where nobody knows, as on a GPU, of which there are fast and slow ones.

    Args:
        landmarker: as it describes itself.
    """
    if landmarker.get("engine", {}).get("engine") == "torch":
        return None
    follows = landmarker.get("settings", {}).get("track", False)
    return _SECONDS_A_FRAME.get((landmarker.get("name", ""), follows))
