"""Colours that a colour-blind reader tells apart too, on white and on black."""

from __future__ import annotations

from typing import Final

COLOURS: Final = ("#0072b2", "#d55e00", "#008561", "#9c4f86", "#8a6d00", "#4d4d4d")

__all__ = ["COLOURS"]
