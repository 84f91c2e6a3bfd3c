"""The drawn signer: sign videos with exactly known keypoints.

No sign video can be shipped, so the project draws its own. They are demo, test bed and measuring
rod at once. The way of the data:

    Sign, Signer  → perform → Performance   where both hands are and how they are turned
    Performance   → figure  → Figure        every joint of the body, metres
    Figure        → render  → frames        (H, W, 3) uint8 RGB
    Figure        → truth   → Clip          the same joints as MediaPipe's points
    Corpus        → corpus  → folder        videos, labels.csv, truth.h5
    two stores    → accuracy → a table      how well a landmarker sees the signer
"""
