"""The embedded world's visual teacher: a small CNN that learns the labels of drawn scenes."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from phosphene.core.config import Frozen
from phosphene.core.runtime import seed_update
from phosphene.core.types import LabelledPictures
from phosphene.data.corpus import CorpusConfig, labelled_scenes
from phosphene.data.dataset import PictureBatches
from phosphene.models.teachers import TeacherConfig, build_teacher
from phosphene.nn.visual import VisualTeacher, freeze
from phosphene.objectives.likelihood import multi_label
from phosphene.train.optim import OptimConfig
from phosphene.train.stage import Budget, Fitter, Stage
from phosphene.weighting.direct import Term, example_mean

