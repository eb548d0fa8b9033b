"""The `s2robot` command line: one file a command.

A module here is the command of its name: the first line of its docstring is its help, and its function
`cli(words)` runs it with the words that follow the name. What commands share is in `cli/`.
"""
