"""The probes that fit runs of the recipe ``modality_kd``."""

from __future__ import annotations

from phosphene.recipes.modality_kd_settings import Settings
from phosphene.recipes.probe import Fitting


def fitting(settings: Settings) -> Fitting:
    """By name."""
    return {}


__all__ = ["fitting"]
