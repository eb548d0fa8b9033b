"""The `s2robot` command line: one file a command."""
