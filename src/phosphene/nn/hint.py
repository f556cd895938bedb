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


def uniform_matches(student_layers: int, teacher_layers: int) -> tuple[tuple[int, int], ...]:
    """Student layer ``m`` with teacher layer ``k m``, as in TinyBERT (4 and 12 layers: ``k = 3``).

    Raises:
        ValueError: the teacher's number of layers is not a multiple of the student's.
    """
    step, rest = divmod(teacher_layers, student_layers)
    if rest:
        raise ValueError(
            f"{teacher_layers} teacher layers are no multiple of {student_layers} student layers"
        )
    return tuple((layer, step * layer) for layer in range(1, student_layers + 1))


__all__ = ["HintRegressor", "uniform_matches"]
