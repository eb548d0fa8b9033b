"""Chooses how MuJoCo starts OpenGL; runs when `envs` is imported."""

import ctypes
import importlib
import importlib.util
import os
import sys
from collections.abc import Iterable
from pathlib import Path

DISABLED = "disabled"
MISSING = (
    "OpenGL cannot start without a display: install EGL (Debian, Ubuntu: "
    "apt-get install libegl1 libgl1 libgl1-mesa-dri) or OSMesa (apt-get install libosmesa6)"
)

_EGL_PLATFORM_DEVICE_EXT = 0x313F
_MAX_DEVICES = 16


def configure() -> str:
    """Sets MUJOCO_GL where the user has not: EGL if it starts, else OSMesa, else nothing is rendered.

    A display is used when there is one. Returns the value of MUJOCO_GL; `disabled` means that physics
    works and rendering raises `MISSING`.
    """
    _load_triton_first()
    if "MUJOCO_GL" not in os.environ and sys.platform == "linux" and not _has_display():
        os.environ["MUJOCO_GL"] = "egl" if egl_starts() else "osmesa" if osmesa_loads() else DISABLED
        _tell_mujoco()
    return os.environ.get("MUJOCO_GL", "")


def _tell_mujoco() -> None:
    """Lets a MuJoCo that was imported earlier, and read MUJOCO_GL then, read it again."""
    for name in ("mujoco.rendering.classic.gl_context", "mujoco.gl_context"):
        if name in sys.modules:
            importlib.reload(sys.modules[name])


def _load_triton_first() -> None:
    """Load the library of Triton, which torch may import at any time, before Mesa's.

    Both contain LLVM. Mesa's software renderer loads it with global symbols; a Triton that is loaded after
    that binds to them and crashes the process. The other way round both work.
    """
    triton = importlib.util.find_spec("triton")
    if triton is None or "triton" in sys.modules:
        return
    for folder in triton.submodule_search_locations or ():
        library = Path(folder) / "_C" / "libtriton.so"
        if library.exists():
            ctypes.CDLL(str(library))


def explain(error: Exception) -> str:
    """One line on why a rendering context could not be made."""
    backend = os.environ.get("MUJOCO_GL", "")
    if backend == DISABLED:
        return MISSING
    return f"OpenGL does not start with MUJOCO_GL={backend!r} ({error}); leave it unset to have one chosen"


def egl_starts() -> bool:
    """Whether some EGL device (a GPU or Mesa's software renderer) can be initialised."""
    egl = _load("EGL", versions=(1,))
    if egl is None or (_load("OpenGL", versions=(0,)) or _load("GL", versions=(1,))) is None:
        return False
    egl.eglGetProcAddress.restype = ctypes.c_void_p
    query_address = egl.eglGetProcAddress(b"eglQueryDevicesEXT")
    display_address = egl.eglGetProcAddress(b"eglGetPlatformDisplayEXT")
    if not query_address or not display_address:
        return False
    query_devices = ctypes.CFUNCTYPE(
        ctypes.c_uint, ctypes.c_int, ctypes.POINTER(ctypes.c_void_p), ctypes.POINTER(ctypes.c_int)
    )(query_address)
    get_display = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p)(
        display_address
    )
    egl.eglInitialize.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
    egl.eglTerminate.argtypes = [ctypes.c_void_p]

    devices, found = (ctypes.c_void_p * _MAX_DEVICES)(), ctypes.c_int(0)
    if not query_devices(_MAX_DEVICES, devices, ctypes.byref(found)):
        return False
    for device in devices[: found.value]:
        display = get_display(_EGL_PLATFORM_DEVICE_EXT, device, None)
        if display and egl.eglInitialize(display, None, None):
            egl.eglTerminate(display)
            return True
    return False


def osmesa_loads() -> bool:
    """Whether the OSMesa library is there."""
    return _load("OSMesa", versions=range(10)) is not None


def _has_display() -> bool:
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _load(name: str, versions: Iterable[int]) -> ctypes.CDLL | None:
    for file in [f"lib{name}.so", *(f"lib{name}.so.{v}" for v in versions)]:
        try:
            return ctypes.CDLL(file)
        except OSError:
            continue  # not under this name
    return None
