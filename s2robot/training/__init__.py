"""Training: batches of cached features, the optimiser, the loop."""
