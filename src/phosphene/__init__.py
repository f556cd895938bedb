"""Phosphene: transfer what a vision-language teacher knows to a model that will have less."""

__version__ = "0.1.0"
