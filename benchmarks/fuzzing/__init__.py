"""Damaged and hostile files for every reader, see `benchmarks/fuzz.py`."""
