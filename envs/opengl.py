"""Chooses how MuJoCo starts OpenGL; runs when `envs` is imported."""

import ctypes
import importlib
import importlib.util
import os
import sys
import warnings
from collections.abc import Iterable
from pathlib import Path

from envs.displays import display_answers

DISABLED = "disabled"
MISSING = (
    "OpenGL cannot start without a display: install EGL (Debian, Ubuntu: "
    "apt-get install libegl1 libgl1 libgl1-mesa-dri) or OSMesa (apt-get install libosmesa6)"
)
ON_A_DISPLAY = ("", "glfw", "glx", "enable", "enabled", "on", "true", "1")  # MuJoCo's names on Linux
OFF = (DISABLED, "disable", "off", "false", "0")
UNSET = "leave it unset to have one chosen"
KNOWN = (*ON_A_DISPLAY[1:], "egl", "osmesa", *OFF)

_EGL_PLATFORM_DEVICE_EXT = 0x313F
_MAX_DEVICES = 16
_refused = ""  # why the user's MUJOCO_GL was replaced by `disabled`: MuJoCo cannot be imported with it


def configure() -> str:
    """Sets MUJOCO_GL where the user has not: EGL if it starts, else OSMesa, else nothing is rendered.

    A display is used when there is one that answers. Returns the value of MUJOCO_GL; `disabled` means that
    physics works and that `problem` says why nothing is rendered.
    """
    _load_triton_first()
    if sys.platform != "linux":
        return os.environ.get("MUJOCO_GL", "")
    chosen = os.environ.get("MUJOCO_GL", "").strip().lower()
    if not chosen and not display_answers():
        os.environ["MUJOCO_GL"] = _without_a_display()
        _tell_mujoco()
    elif refused := _refuse(chosen):
        global _refused
        _refused = refused
        os.environ["MUJOCO_GL"] = DISABLED
    return os.environ.get("MUJOCO_GL", "")


def problem() -> str:
    """Why nothing can be rendered here, in one line that says how to mend it; empty if all is well."""
    if configure() in OFF:
        return _off()
    import mujoco  # reads MUJOCO_GL, which is set now

    try:
        with warnings.catch_warnings(action="ignore"):  # GLFW's; what they say is in the line
            mujoco.Renderer(mujoco.MjModel.from_xml_string("<mujoco/>"), 8, 8).close()
    except Exception as error:  # each of OpenGL's libraries has errors of its own
        return explain(error)
    return ""


def explain(error: Exception) -> str:
    """One line on why a rendering context could not be made."""
    backend = os.environ.get("MUJOCO_GL", "").strip().lower()
    if backend in OFF:
        return _off()
    text = f"OpenGL does not start with MUJOCO_GL={backend!r}"
    platform = os.environ.get("PYOPENGL_PLATFORM", "")
    if platform and backend in ("egl", "osmesa") and platform != backend:
        return f"{text}, because PYOPENGL_PLATFORM={platform!r} says otherwise; unset both, and one is chosen"
    if backend in ON_A_DISPLAY and not display_answers():
        display = os.environ.get("DISPLAY", "")
        answer = f"DISPLAY={display!r} does not answer" if display else "DISPLAY is not set"
        return f"{text}, which needs a display, and {answer}; {UNSET}"
    if (device := os.environ.get("MUJOCO_EGL_DEVICE_ID")) and backend == "egl":
        return f"{text} and MUJOCO_EGL_DEVICE_ID={device!r} ({error}); unset it, and one is chosen"
    return f"{text} ({error}); {UNSET}"


def _off() -> str:
    backend = os.environ["MUJOCO_GL"]
    return _refused or (MISSING if backend == DISABLED else f"MUJOCO_GL={backend} turns rendering off")


def _without_a_display() -> str:
    """What starts here, PyOpenGL's setting first, which MuJoCo may not contradict."""
    starts = {"egl": egl_starts, "osmesa": osmesa_loads}
    preferred = os.environ.get("PYOPENGL_PLATFORM", "")
    names = sorted(starts, key=lambda name: name != preferred)
    return next((name for name in names if starts[name]()), DISABLED)


def _refuse(chosen: str) -> str:
    """Why MuJoCo cannot even be imported with the user's MUJOCO_GL; empty if it can."""
    if chosen not in ("", *KNOWN):
        return f"MUJOCO_GL={chosen!r} is unknown to MuJoCo; egl, osmesa and glfw are known, {UNSET}"
    if chosen == "osmesa" and not osmesa_loads():
        packages = "Debian, Ubuntu: apt-get install libosmesa6"
        return f"MUJOCO_GL='osmesa', and OSMesa is not installed ({packages}); or {UNSET}"
    return ""


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


def _load(name: str, versions: Iterable[int]) -> ctypes.CDLL | None:
    for file in [f"lib{name}.so", *(f"lib{name}.so.{v}" for v in versions)]:
        try:
            return ctypes.CDLL(file)
        except OSError:
            continue  # not under this name
    return None
