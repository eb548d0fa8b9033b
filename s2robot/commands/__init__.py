"""The `s2robot` command line: one file a command.

A module here is the command of its name, and the first line of its docstring is its help. Its function
`cli(words)` runs it with the words that follow the name. A command with a file `configs/<name>.yaml` has
`main(options)` in its place: Hydra composes the options, and the module is imported once they are complete.
What commands share is in `cli/`.
"""
