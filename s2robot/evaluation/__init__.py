"""Success rates, comparisons of policies, report pages."""
