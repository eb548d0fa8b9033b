"""`hydra/launcher=ray`: the jobs of a sweep as tasks of a Ray cluster.

Hydra takes launchers from the folder `hydra_plugins` alone. Its own package for Ray, hydra-ray-launcher,
requires boto3, whose requirements contradict this project's.
"""
