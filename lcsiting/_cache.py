"""Where numba keeps its compiled kernels.

Imported before the first ``njit`` of the package. The directory is keyed by a
hash of every kernel source: numba itself only looks at the file that holds
the *caller*, so an edited callee in another file would otherwise leave old
machine code in place.
"""

import hashlib
import os
import sys
from pathlib import Path

KERNEL_ROOMS = ("radio", "coverage", "siting", "geo", "coordination")


def _source_digest(package: Path) -> str:
    digest = hashlib.sha256()
    for room in KERNEL_ROOMS:
        for path in sorted((package / room).glob("*.py")):
            text = path.read_bytes()
            if b"njit" in text:
                digest.update(path.name.encode())
                digest.update(text)
    return digest.hexdigest()[:16]


def _cache_root() -> Path:
    if root := os.environ.get("LCSITING_CACHE_DIR"):
        return Path(root)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "lcsiting"
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "lcsiting"


def set_cache_dir() -> str:
    """Point ``NUMBA_CACHE_DIR`` at a directory of this source state.

    A directory the user has set is left alone.

    Returns
    -------
    str
        The directory in force.
    """
    if "NUMBA_CACHE_DIR" not in os.environ:
        digest = _source_digest(Path(__file__).parent)
        os.environ["NUMBA_CACHE_DIR"] = str(_cache_root() / f"kernels-{digest}")
        if "numba" in sys.modules:
            sys.modules["numba"].config.reload_config()
    return os.environ["NUMBA_CACHE_DIR"]


set_cache_dir()
