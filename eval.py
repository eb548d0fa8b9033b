"""Evaluate a checkpoint in simulation: the command `s2robot eval`, from a clone of the repository.

python eval.py checkpoint=runs/demo/checkpoints/last episodes=100 video=9
"""

from s2robot.commands.eval import cli

if __name__ == "__main__":
    cli()
