"""Text that a person or a system wrote, made safe to stand in HTML and SVG."""

from __future__ import annotations

import html
import re

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def escape(text: str) -> str:
    """Text for an element or a quoted attribute; control characters are shown as U+FFFD."""
    return html.escape(_CONTROL.sub("\ufffd", text))


__all__ = ["escape"]
