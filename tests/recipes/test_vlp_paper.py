"""The paper's configuration on data and weights of its formats, all of them tiny."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

from phosphene.core.errors import InputError
from phosphene.data.regions import PictureRegions, store_regions
from phosphene.data.store import Producer
from phosphene.recipes.plan import Plan, plan

sys.path.append(str(Path(__file__).parent.parent / "models"))
from tiny_bert import published, write

ENGLISH = ["A dog runs.", "A cat sleep, a ball.", "Dogs, a tree.", "The ball runs."]
GERMAN = ["ein hund läuft .", "eine katze schläft , ein ball .", "hunde , ein baum .", "der ball ."]
SPLITS = ("train", "val", "test_2016_flickr", "test_2017_flickr", "test_2017_mscoco")


def data_root(folder: Path) -> Path:
    """Multi30K of four lines a split, with photos of all but the last line of training."""
    task, photos = folder / "multi30k" / "task1", folder / "flickr8k"
    for part in (task / "tok", task / "raw", task / "image_splits", photos / "images"):
        part.mkdir(parents=True)
    manifest = ["split\tline\tphoto"]
    for number, split in enumerate(SPLITS):
        for language, lines in (("en", ENGLISH), ("de", GERMAN)):
            text = "\n".join(f"{line} {number}" if number else line for line in lines) + "\n"
            (task / "tok" / f"{split}.lc.norm.tok.{language}").write_text(text.lower())
            (task / "raw" / f"{split}.{language}.gz").write_bytes(gzip.compress(text.encode()))
        names = [f"{number}{row}.jpg" for row in range(4)]
        (task / "image_splits" / f"{split}.txt").write_text("\n".join(names) + "\n")
        if not split.startswith("test_2017"):
            manifest += [f"{split}\t{row}\t{name}" for row, name in enumerate(names[:3])]
            for name in names[:3]:
                Image.new("RGB", (8, 8)).save(photos / "images" / name)
    (photos / "manifest.tsv").write_text("\n".join(manifest) + "\n")
    return folder


def captions(folder: Path) -> Path:
    """COCO captions of three photos, one of which is a validation photo."""
    images = [
        {"id": row, "file_name": name} for row, name in enumerate(["90.jpg", "91.jpg", "10.jpg"])
    ]
    rows = [
        {"id": row, "image_id": row, "caption": f"a {word} runs, a tree"}
        for row, word in enumerate(("dog", "cat", "ball"))
    ]
    path = folder / "captions.json"
    path.write_text(json.dumps({"images": images, "annotations": rows}))
    return path


def regions(folder: Path, width: int = 2048, tags: tuple[str, ...] = ("dog", "tree")) -> Path:
    """Two boxes of every photo, none of the first of training."""
    names = [f"{split}{row}" for split in (0, 1, 2) for row in range(3)] + ["90", "91"]
    boxes = torch.tensor([[0.0, 0.0, 0.5, 0.5], [0.2, 0.2, 1.0, 1.0]])
    found = {
        name: PictureRegions(
            torch.randn(0 if name == "00" else 2, width), boxes[: 0 if name == "00" else 2], tags
        )
        for name in names
    }
    store_regions(found, folder / "regions", Producer("detector", "0"))
    return folder / "regions"


def planned(folder: Path, store: Path, *changes: str) -> Plan:
    return plan(
        "vlp_mmt",
        "paper",
        [
            f"encoder.weights={write(folder / 'bert', published())}",
            f"regions.path={store}",
            f"pretraining.corpora=[{{format='coco', path='{captions(folder)}'}}]",
            "pretraining.multi30k_captions=false",
            "data.merges=20",
            "runtime.accelerator='cpu'",
            *changes,
        ],
    )


def test_every_stage_takes_a_step_from_published_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHOSPHENE_DATA", str(data_root(tmp_path / "data")))
    found = planned(tmp_path, regions(tmp_path))
    stages = {stage.name: stage for stage in found.stages}
    assert list(stages) == ["captions", "pairs", "translate_frozen", "translate_all"]
    assert found.data["train"] == "4, 3 with a picture"
    # six layers of 512, and what leads from BERT's 12 to them
    assert stages["translate_frozen"].modules["decoder"] == (25_225_216, 0)
    assert stages["translate_frozen"].modules["bridge"] == (12 * 512 + 512, 0)
    regions_part = (2048 + 4) * 12 + 12 + 2 * 12
    bert = sum(value.numel() for name, value in published().items() if "pooler" not in name)
    assert stages["captions"].modules["encoder"] == (bert + regions_part, 0)


def test_regions_of_another_width_and_pictures_without_tags_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHOSPHENE_DATA", str(data_root(tmp_path / "data")))
    store = regions(tmp_path, width=6, tags=())
    with pytest.raises(InputError, match="no training picture has tags"):
        planned(tmp_path, store)
    small = ("decoder.hidden=16", "decoder.inner=16", "decoder.heads=2", "regions.use_tags=false")
    found = planned(tmp_path, store, *small)
    assert found.stages[0].terms["pairing"] > 0
    with pytest.raises(InputError, match=r"regions\.path: expected the folder"):
        plan("vlp_mmt", "small", ["regions.source=store", "encoder.weights=scratch", *small[:3]])
