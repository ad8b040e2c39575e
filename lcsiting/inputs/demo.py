"""Where the demo project lies: inside the wheel, or in the checkout."""

from pathlib import Path

import lcsiting
from lcsiting.errors import LayerError


def demo_path() -> Path:
    """``project.toml`` of the demo city that ships with the package.

    Returns
    -------
    Path

    Raises
    ------
    LayerError
        The installation lacks it.
    """
    package = Path(lcsiting.__file__).parent
    for folder in (package / "_demo" / "liaocheng", package.parent / "data" / "liaocheng"):
        if (folder / "project.toml").is_file():
            return folder / "project.toml"
    raise LayerError("演示数据缺失：安装不完整，请重新安装 lcsiting。")
