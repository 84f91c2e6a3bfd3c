"""MediaPipe's networks, run by ourselves: batched over frames, on a CPU or a GPU."""

# The landmarker's version, which a store records: stores of two versions are never mixed. Counted
# up by whoever changes a point, and only then: a release that changes none continues every store.
PIPELINE = "1"
