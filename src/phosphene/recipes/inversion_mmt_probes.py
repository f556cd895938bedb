"""The probes that fit runs of the recipe ``inversion_mmt``."""

from __future__ import annotations

from phosphene.recipes.inversion_mmt_settings import Settings
from phosphene.recipes.probe import Fitting


def fitting(settings: Settings) -> Fitting:
    """By name."""
    return {}


__all__ = ["fitting"]
