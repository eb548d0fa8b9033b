"""Demonstrations from scripted experts, and images rendered from recorded states."""
