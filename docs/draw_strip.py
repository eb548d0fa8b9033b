"""A strip of frames of an evaluated episode, as in the README.

python docs/draw_strip.py runs/demo/eval/default/videos/seed_100001.mp4 docs/images/pick_cube.png
"""

import sys

import imageio.v3 as iio
import numpy as np
from PIL import Image

FRAMES = 6
HEIGHT = 200  # pixels of a frame, both cameras stacked
COLOURS = 128  # of the palette: keeps the file small


def main(video: str, picture: str) -> None:
    frames = iio.imread(video)
    chosen = frames[np.linspace(0, len(frames) - 1, FRAMES).astype(int)]  # t h w 3, cameras side by side
    half = chosen.shape[2] // 2
    stacked = np.concatenate([chosen[:, :, :half], chosen[:, :, half : 2 * half]], axis=1)
    strip = Image.fromarray(np.concatenate(list(stacked), axis=1))
    width = strip.width * 2 * HEIGHT // strip.height
    strip.resize((width, 2 * HEIGHT), Image.Resampling.LANCZOS).quantize(COLOURS).save(picture, optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
