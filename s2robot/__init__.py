"""Robot manipulation from demonstrations, on frozen multi-scale features that are computed once."""
