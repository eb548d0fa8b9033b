"""robomimic's own behaviour cloning, end to end: its algorithm, dataset class and loop; for `peers.py`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from s2robot.policies import robomimic_nets as _quiet_robomimic  # noqa: F401 (it prints when imported otherwise)

BATCH_SIZE, EPOCH_STEPS = 16, 10  # its batch for images; steps between looks at the clock
CROP = 76  # of 84 pixels, its default for images


class RobomimicBC:
    """Trained by the second on a file with small images; an `Actor` that decides at every step."""

    obs_steps = action_steps = 1

    def __init__(
        self, path: Path, device: torch.device, cameras: Sequence[str], proprio: Sequence[str]
    ) -> None:
        """`path`: robomimic HDF5, of which it trains on the demonstrations under `mask/train`."""
        import robomimic.utils.file_utils as file_utils
        import robomimic.utils.obs_utils as obs_utils
        import robomimic.utils.train_utils as train_utils
        from robomimic.algo import algo_factory
        from robomimic.config import config_factory

        config = config_factory("bc")
        with config.values_unlocked():
            config.observation.modalities.obs.low_dim = list(proprio)
            config.observation.modalities.obs.rgb = list(cameras)
            rgb = config.observation.encoder.rgb
            rgb.core_kwargs.backbone_class, rgb.core_kwargs.backbone_kwargs = (
                "ResNet18Conv",
                {"pretrained": False},
            )
            rgb.core_kwargs.pool_class, rgb.core_kwargs.pool_kwargs = "SpatialSoftmax", {"num_kp": 32}
            rgb.core_kwargs.feature_dimension = 64
            rgb.obs_randomizer_class = "CropRandomizer"
            rgb.obs_randomizer_kwargs = {"crop_height": CROP, "crop_width": CROP, "num_crops": 1}
            config.train.data, config.train.batch_size = str(path), BATCH_SIZE
            config.train.hdf5_cache_mode, config.train.hdf5_load_next_obs = "low_dim", False
            config.train.hdf5_use_swmr = False  # the file is open in this process already
            config.train.hdf5_filter_key, config.train.dataset_keys = "train", ("actions",)
        obs_utils.initialize_obs_utils_with_config(config)
        shapes = file_utils.get_shape_metadata_from_dataset(str(path), all_obs_keys=config.all_obs_keys)
        self.algo = algo_factory(
            algo_name="bc",
            config=config,
            obs_key_shapes=shapes["all_shapes"],
            ac_dim=shapes["ac_dim"],
            device=device,
        )
        data, _ = train_utils.load_data_for_training(config, obs_keys=shapes["all_obs_keys"])
        self.loader = torch.utils.data.DataLoader(data, batch_size=BATCH_SIZE, shuffle=True, drop_last=True)
        self.obs_keys = tuple(shapes["all_obs_keys"])
        self.device, self.steps, self._epoch = device, 0, 0
        self._run_epoch, self._process = train_utils.run_epoch, obs_utils.process_obs
        self.settings: Mapping[str, Any] = {
            "batch": BATCH_SIZE,
            "crop": CROP,
            "learning_rate": 1e-4,
            "feature_dimension": 64,
        }

    def train(self) -> None:
        """A few steps of its loop."""
        self._run_epoch(self.algo, self.loader, self._epoch, num_steps=min(EPOCH_STEPS, len(self.loader)))
        self._epoch += 1
        self.steps += min(EPOCH_STEPS, len(self.loader))

    @torch.inference_mode()
    def act(
        self, obs: Mapping[str, np.ndarray], states: Sequence[Any], generators: Sequence[torch.Generator]
    ) -> tuple[np.ndarray, list[Any]]:
        """One action for each episode; see `s2robot.types.Actor`."""
        self.algo.set_eval()
        seen = {
            key: torch.as_tensor(self._process(obs[key][:, 0], obs_key=key), dtype=torch.float32).to(
                self.device
            )
            for key in self.obs_keys
        }
        actions = self.algo.get_action(obs_dict=seen)
        return actions.float().cpu().numpy()[:, None], list(states)
