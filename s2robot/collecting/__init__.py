"""Demonstrations from scripted experts, and images rendered from recorded states."""

from s2robot.rollouts.resolving import own_envs

own_envs()  # one clear line where another package is called `envs`, before the modules here import it
