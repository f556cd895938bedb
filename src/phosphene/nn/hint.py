"""Projections from a student's layers to a teacher's, for hint training (Romero et al., 2015)."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn


class HintRegressor(nn.Module):
    """One learned linear map per pair of matched layers.

    Args:
        student_hidden: width of the student's states.
        teacher_hidden: width of the teacher's states.
        matches: ``(student layer, teacher layer)``, counted from 1; 0 is the embedding.
    """

    def __init__(
        self, student_hidden: int, teacher_hidden: int, matches: Sequence[tuple[int, int]]
    ) -> None:
        super().__init__()
        self.matches = tuple(matches)
        self.maps = nn.ModuleList(nn.Linear(student_hidden, teacher_hidden) for _ in self.matches)

    def forward(
        self, states: Sequence[Float[Tensor, "batch length hidden"]]
    ) -> list[Float[Tensor, "batch length feature"]]:
        """The student's matched layers in the teacher's width; ``states[0]`` is the embedding."""
        return [
            project(states[layer])
            for project, (layer, _) in zip(self.maps, self.matches, strict=True)
        ]


def scaled_matches(
    student_layers: int, teacher_layers: int, chosen: Sequence[int]
) -> tuple[tuple[int, int], ...]:
    """Student layers at the same relative depth as some of a teacher's, rounded up.

    Equal depths match layer by layer (3, 6, 9 and 12 in cViL). Where several teacher layers fall
    on one student layer, the deepest is kept.

    Raises:
        ValueError: a chosen layer is not between 1 and the teacher's depth.
    """
    for layer in chosen:
        if not 1 <= layer <= teacher_layers:
            raise ValueError(f"expected teacher layers in 1..{teacher_layers}, got {layer}")
    return tuple(
        {-(-layer * student_layers // teacher_layers): layer for layer in sorted(chosen)}.items()
    )


__all__ = ["HintRegressor", "scaled_matches"]
