"""Questions to trained models, one small module each: no model is trained, nothing is written.

They know models, batches and data, and no recipe. What they find is a :class:`Finding`, or plain
arrays where it is to be drawn.
"""

from phosphene.evaluate.probes.finding import Finding

__all__ = ["Finding"]
