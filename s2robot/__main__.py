"""`python -m s2robot` is the `s2robot` command."""

from s2robot.commands.cli import main

if __name__ == "__main__":
    main()
