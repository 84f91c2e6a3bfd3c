"""MediaPipe's networks, run by ourselves: batched over frames, on a CPU or a GPU."""
