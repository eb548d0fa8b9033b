"""Train a policy on frozen features: the command `s2robot train`, from a clone of the repository.

python train.py data.path=my.hdf5 run_dir=runs/my policy=diffusion_unet
"""

import sys

from s2robot.commands.cli import main

if __name__ == "__main__":
    main(["train", *sys.argv[1:]])
