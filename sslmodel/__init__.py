"""Keypoints → encoder → scores: self-supervised learning for sign language."""
