"""Every row of the paper's Tables 2 and 5 is a setting: each is planned and tried."""

from __future__ import annotations

from pathlib import Path

import pytest

from phosphene.recipes.plan import plan

TERMS = {"translation", "inter_modal", "intra_modal", "image_space"}
ROWS = {
    **{f"similarity {name}": [f"distillation.distance={name}"] for name in ("l1", "l_infinity")},
    **{f"similarity {name}": [f"distillation.distance={name}"] for name in ("cosine", "kl")},
    **{f"granularity {name}": [f"distillation.granularity={name}"] for name in ("block", "layer")},
    "teacher VGG": ["teacher.network=small_vgg"],
    "teacher AlexNet": ["teacher.network=small_alexnet"],
    "without IrM": ["distillation.inter_modal=0"],
    "without IaM": ["distillation.intra_modal=0"],
    "image only": [
        "distillation.inter_modal=0",
        "distillation.intra_modal=0",
        "distillation.image_space=2",
    ],
    "without text": ["system=image_free_without_text"],
}


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> str:
    path: Path = tmp_path_factory.mktemp("table") / "tiny.toml"
    path.write_text(
        """
max_tokens = 128
[budget]
max_updates = 2
[data]
source = "world"
merges = 60
tests = ["ambiguous"]
train_scenes = 24
test_scenes = 4
[network]
layers = 1
hidden = 16
inner = 16
rank = 4
[teacher]
network = "small_resnet"
side = 64
[teacher_training]
scenes = 8
pictures_per_update = 4
budget = { max_updates = 1, average_last = 1 }
[distillation]
photos_per_update = 2
[runtime]
accelerator = "cpu"
threads = 1
""",
        encoding="utf-8",
    )
    return str(path)


@pytest.mark.parametrize("row", ROWS)
def test_a_row_runs(config: str, row: str) -> None:
    stages = {stage.name: stage for stage in plan("inversion_mmt", config, ROWS[row]).stages}
    assert list(stages) == ["teacher", "translate"]
    assert set(stages["translate"].terms) == TERMS
    assert stages["translate"].frozen == {"teacher": True}
    assert stages["translate"].modules["student"][0] > 0


def test_the_row_without_distillation_has_neither_teacher_nor_student(config: str) -> None:
    changes = ["distillation.inter_modal=0", "distillation.intra_modal=0"]
    (_, stage) = plan("inversion_mmt", config, changes).stages
    assert set(stage.terms) == {"translation"}
    assert "student" not in stage.modules
