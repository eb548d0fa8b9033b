"""Encode camera frames with a frozen encoder at two scales (S2), without a dataset and without a policy.

    python examples/encode_frames.py [frame.png ...]

Without arguments a frame of random pixels is encoded.
"""

import sys

import imageio.v3 as iio
import numpy as np

from s2robot.encoders import make_encoder


def main(files: list[str]) -> None:
    """Print the shape of the features of each image."""
    encoder = make_encoder("lite0", sizes=(224, 448))  # 224 as one tile, 448 as four tiles of 224
    noise = np.random.default_rng(0).integers(0, 256, (448, 448, 3), dtype=np.uint8)
    frames = [iio.imread(file, mode="RGB") for file in files] or [noise]
    for frame in frames:
        features = encoder.encode(frame[None])  # uint8 "b h w 3" -> map "b c gh gw"
        print(f"{frame.shape} -> {tuple(features.map.shape)}, mean {features.map.mean():.4f}")


if __name__ == "__main__":
    main(sys.argv[1:])
