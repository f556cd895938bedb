"""The probes that fit runs of the recipe ``crosslingual_vqa``."""

from __future__ import annotations

from phosphene.recipes.crosslingual_vqa_settings import Settings
from phosphene.recipes.probe import Fitting


def fitting(settings: Settings) -> Fitting:
    """By name."""
    return {}


__all__ = ["fitting"]
