"""Raw sign-language videos → hand, face and body keypoints in one HDF5 store."""
