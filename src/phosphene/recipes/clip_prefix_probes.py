"""The probes that fit runs of the recipe ``clip_prefix``."""

from __future__ import annotations

from phosphene.recipes.clip_prefix_settings import Settings
from phosphene.recipes.probe import Fitting


def fitting(settings: Settings) -> Fitting:
    """By name."""
    return {}


__all__ = ["fitting"]
