"""The probes that fit runs of the recipe ``vlp_mmt``."""

from __future__ import annotations

from phosphene.recipes.probe import Fitting
from phosphene.recipes.vlp_mmt_settings import Settings


def fitting(settings: Settings) -> Fitting:
    """By name."""
    return {}


__all__ = ["fitting"]
