"""How much more than it holds a file may declare: a few bytes can stand for terabytes of one number.

Compression makes numbers of robots a few times smaller, and frames at most a thousand times. What is larger
than that is refused before anything of it is read.
"""

NUMBER_BYTES = 8
MOST_NUMBERS, NUMBERS_RATIO = 2**28, 50  # bytes that are always read; beyond, how often the files' size
MOST_FRAMES, FRAMES_RATIO = 2**32, 1100  # gzip reaches 1032
MOST_PIXELS = 2**25  # of a frame: 8K


def check_size(height: int, width: int) -> None:
    """Raise ValueError for a frame that no camera takes."""
    if height * width > MOST_PIXELS:
        raise ValueError(f"a frame of {width}x{height} pixels; at most {MOST_PIXELS} pixels are read")
