"""A plugin of s2robot: importing it registers a head, a policy, a dataset format and a task with its expert.

    pip install examples/plugin
    s2robot collect --env example/Hover-v0 --out hover.hdf5
    s2robot train policy=linear policy.head=maximum data.path=hover.hdf5 run_dir=runs/hover

What is registered by its path is imported when it is used: `s2robot train --help` imports no PyTorch.
"""

import envs
from s2robot.datasets import FORMATS
from s2robot.policies import HEADS, POLICIES, PolicyEntry
from s2robot.registry import Lazy
from s2robot_example.options import LinearConfig
from s2robot_example.task import Hover, HoverExpert

HEADS["maximum"] = Lazy("s2robot_example.networks:Maximum")
POLICIES["linear"] = PolicyEntry(LinearConfig, Lazy("s2robot_example.networks:LinearPolicy"))
FORMATS["npz"] = Lazy("s2robot_example.npz:Npz")
envs.register("example/Hover-v0", envs.Task(Hover, HoverExpert))
