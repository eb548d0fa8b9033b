"""Demonstration datasets, opened for reading, and training windows over them."""
