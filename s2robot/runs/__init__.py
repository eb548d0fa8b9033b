"""Run folders: checkpoints, metrics, timings."""
