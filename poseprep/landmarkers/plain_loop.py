"""What a user would write first: MediaPipe Holistic in a loop, for `slr bench extract`.

    python -m poseprep.landmarkers.plain_loop [--static] VIDEO...

One process, a fresh Holistic for every video, every frame read and given to `process`; the
landmarks are not kept. With --static, in MediaPipe's static mode, which finds the body anew in
every frame. Prints the frames, and the CPU seconds spent inside `process`, as JSON.
"""

import json
import os
import sys
import time

os.environ.setdefault("GLOG_minloglevel", "3")
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

import cv2
from mediapipe.python.solutions.holistic import Holistic


def main(paths: list[str], static: bool = False) -> None:
    """Run the loop over video files."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    frames, inside = 0, 0.0
    for path in paths:
        capture = cv2.VideoCapture(path)
        with Holistic(static_image_mode=static, model_complexity=1) as holistic:
            while True:
                more, frame = capture.read()
                if not more:
                    break
                picture = cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
                began = time.process_time()
                holistic.process(picture)
                inside += time.process_time() - began
                frames += 1
        capture.release()
    print(json.dumps({"frames": frames, "cpu_seconds": inside}))


if __name__ == "__main__":
    main([path for path in sys.argv[1:] if path != "--static"], "--static" in sys.argv[1:])
