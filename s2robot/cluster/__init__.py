"""Work over the machines of a Ray cluster: feature builds, evaluations, the jobs of a sweep."""
