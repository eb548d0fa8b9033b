"""Between the frames of a video and RGB arrays."""

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from jaxtyping import UInt8

# A frame takes a fraction of a millisecond; threads of its own would cost more. Earlier ones have no choice.
ONE_THREAD = {"threads": 1} if int(av.__version__.split(".")[0]) >= 18 else {}


class Pixels:
    """A converter for many frames: making one costs about as much as using it once."""

    def __init__(self) -> None:
        self._converter = VideoReformatter()

    def read(self, frame: VideoFrame, out: UInt8[np.ndarray, "h w 3"]) -> None:
        """Write a decoded frame of the size of `out` there."""
        plane = self._converter.reformat(frame, format="rgb24", **ONE_THREAD).planes[0]
        lines = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        height, width, channels = out.shape
        out[:] = lines[:height, : width * channels].reshape(out.shape)

    def write(self, frame: UInt8[np.ndarray, "h w 3"], format_: str) -> VideoFrame:
        """A frame to encode, in FFmpeg's pixel format of this name."""
        picture = VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
        return self._converter.reformat(picture, format=format_, **ONE_THREAD)
