"""Options of the policies, one file for each family; importing them imports no PyTorch."""
