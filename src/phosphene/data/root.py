"""Where real data lie."""

from __future__ import annotations

import os
from pathlib import Path

from phosphene.core.errors import InputError


def data_root() -> Path:
    """The folder of real data: the environment variable ``PHOSPHENE_DATA``.

    Raises:
        InputError: the variable is not set, or names no folder.
    """
    value = os.environ.get("PHOSPHENE_DATA", "")
    if not value or not Path(value).is_dir():
        raise InputError(
            f"PHOSPHENE_DATA={value!r}: expected the data root (set it, or give --data-root)"
        )
    return Path(value)


__all__ = ["data_root"]
