"""Evaluate a checkpoint in simulation: the command `s2robot eval`, from a clone of the repository.

python eval.py checkpoint=runs/demo/checkpoints/last episodes=100 video=9
"""

import sys

from s2robot.commands.cli import main

if __name__ == "__main__":
    main(["eval", *sys.argv[1:]])
