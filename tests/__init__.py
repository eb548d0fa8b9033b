"""Tests; what several of them share is imported from the root: `from tests.rollouts.tiny_env import TINY`."""
