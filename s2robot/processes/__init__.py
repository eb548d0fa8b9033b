"""Child processes: what they may import, and that none outlives its parent."""
