"""Aligned encoders trained here: vectors, folders, the store of what they computed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from phosphene.core.errors import InputError
from phosphene.core.runlog import RunLog
from phosphene.core.types import Batch, FeaturePairs, Pixels
from phosphene.data.store import Producer
from phosphene.data.text import Tokenizer
from phosphene.evaluate.retrieval import recall
from phosphene.models.aligned import AlignedEncoder
from phosphene.models.aligned_folder import load_aligned, save_aligned
from phosphene.models.projection import ProjectedEncoder, ProjectionConfig, Projections
from phosphene.models.teachers import TeacherConfig, build_teacher
from phosphene.models.two_towers import TwoTowers, TwoTowersConfig, TwoTowersEncoder, with_eos
from phosphene.models.vectors import read_vectors, store_image_vectors, store_text_vectors
from phosphene.objectives.contrastive import info_nce

LINES = ["a red dog .", "two blue balls .", "a dog", "", "two red balls in the kitchen ."]
QUIET = RunLog(None, quiet=True)


def pictures(count: int = 3, side: int = 64) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


def towers() -> TwoTowersEncoder:
    torch.manual_seed(0)
    tokenizer = Tokenizer.learn(LINES)
    config = TwoTowersConfig(vocab=len(tokenizer), languages=("en",), width=8, hidden=8)
    return TwoTowersEncoder(TwoTowers(config), config, tokenizer)


class Letters:
    """Sentences as counts of letters: a stand-in for a published sentence encoder."""

    width = 26
    languages: frozenset[str] | None = frozenset({"en"})
    identity = Producer("letters", "0")

    def __call__(self, lines: Sequence[str]) -> Float[Tensor, "line feature"]:
        counts = [[line.count(chr(ord("a") + place)) for place in range(26)] for line in lines]
        return torch.tensor(counts, dtype=torch.float32).reshape(-1, 26)


PROJECTION = ProjectionConfig(
    teacher=TeacherConfig(network="small_vgg", side=32),
    image_feature=128, text_feature=26, hidden=12, width=10,
)  # fmt: skip


def projected() -> ProjectedEncoder:
    torch.manual_seed(0)
    teacher = build_teacher(PROJECTION.teacher, 5)
    return ProjectedEncoder(Projections(PROJECTION), PROJECTION, teacher, Letters())


@pytest.mark.parametrize("encoder", [towers(), projected()], ids=["two-towers", "projected"])
def test_what_an_encoder_promises(encoder: AlignedEncoder) -> None:
    assert isinstance(encoder, AlignedEncoder)
    seen = encoder.image_vectors(pictures(70, encoder.side))
    read = encoder.text_vectors(LINES)
    assert seen.shape == (70, encoder.width)
    assert read.shape == (5, encoder.width)
    assert encoder.normalised
    written = [0, 1, 2, 4]
    torch.testing.assert_close(seen.norm(dim=1), torch.ones(70))
    torch.testing.assert_close(read[written].norm(dim=1), torch.ones(4))
    assert bool(read.isfinite().all())
    alone = torch.cat([encoder.text_vectors([line]) for line in LINES])
    torch.testing.assert_close(alone, read, atol=1e-5, rtol=1e-4)
    single = encoder.image_vectors(pictures(70, encoder.side)[66:67])
    torch.testing.assert_close(single, seen[66:67], atol=1e-5, rtol=1e-4)
    assert encoder.text_vectors([]).shape == (0, encoder.width)
    assert encoder.image_vectors(pictures(1, encoder.side)[:0]).shape == (0, encoder.width)


@pytest.mark.parametrize("encoder", [towers(), projected()], ids=["two-towers", "projected"])
def test_pictures_of_another_size_are_refused(encoder: AlignedEncoder) -> None:
    with pytest.raises(ValueError, match=r"pictures of \[16, 16\]"):
        encoder.image_vectors(pictures(1, 16))


def test_identity_changes_with_any_weight() -> None:
    first, second = projected(), projected()
    assert first.identity == second.identity
    with torch.no_grad():
        second.projections.get_parameter("image.2.weight")[0, 0] += 1e-3
    again = ProjectedEncoder(second.projections, PROJECTION, second.teacher, Letters())
    assert again.identity.name == first.identity.name
    assert again.identity.digest != first.identity.digest


def test_two_towers_survive_their_folder(tmp_path: Path) -> None:
    encoder = towers()
    save_aligned(tmp_path, encoder)
    loaded = load_aligned(tmp_path)
    assert loaded.identity == encoder.identity
    assert torch.equal(loaded.text_vectors(LINES), encoder.text_vectors(LINES))
    assert torch.equal(loaded.image_vectors(pictures()), encoder.image_vectors(pictures()))


def test_damaged_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"aligned\.json: expected the description"):
        load_aligned(tmp_path)
    save_aligned(tmp_path, towers())
    (tmp_path / "aligned.safetensors").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"aligned\.safetensors: missing, damaged, or not"):
        load_aligned(tmp_path)
    (tmp_path / "aligned.json").write_text(json.dumps({"towers": {}}))
    with pytest.raises(InputError, match=r"aligned\.json: unknown key 'towers'"):
        load_aligned(tmp_path)
    (tmp_path / "aligned.json").write_text("{}")
    with pytest.raises(InputError, match="expected one of two_towers, projected, m_clip"):
        load_aligned(tmp_path)


def test_vectors_are_computed_once(tmp_path: Path) -> None:
    encoder = towers()
    lines = {f"line:{number}": line for number, line in enumerate(LINES)}
    first = dict(list(lines.items())[:2])
    store_text_vectors(tmp_path / "text", encoder, first, QUIET)
    asked: list[str] = []
    original = encoder.text_vectors

    class Counting(TwoTowersEncoder):
        def text_vectors(self, lines: Sequence[str]) -> Float[Tensor, "line feature"]:
            asked.extend(lines)
            return original(lines)

    counting = Counting(encoder.model, encoder.config, encoder.tokenizer)
    store = store_text_vectors(tmp_path / "text", counting, lines, QUIET)
    assert asked == LINES[2:]
    found = read_vectors(store, ["line:4", None, "line:0"])
    assert found.mask.tolist() == [True, False, True]
    expected = original([LINES[4], LINES[0]])
    torch.testing.assert_close(found.values[[0, 2]], expected, atol=1e-5, rtol=1e-4)
    assert not found.values[1].any()
    nobody = read_vectors(store, [None, None])
    assert nobody.values.shape == (2, 8)
    assert nobody.mask.tolist() == [False, False]
    with pytest.raises(InputError, match="no entry 'line:9'"):
        read_vectors(store, ["line:9"])


def test_pictures_go_into_the_store_from_their_files(tmp_path: Path) -> None:
    encoder, seen = towers(), pictures(2)
    paths = {name: tmp_path / f"{name}.png" for name in ("a", "b")}
    for path, picture in zip(paths.values(), seen, strict=True):
        Image.fromarray(picture).save(path)
    store = store_image_vectors(tmp_path / "store", encoder, paths, QUIET)
    found = read_vectors(store, ["b", "a"]).values
    torch.testing.assert_close(found, encoder.image_vectors(seen)[[1, 0]], atol=1e-5, rtol=1e-4)
    with pytest.raises(InputError, match=r"c\.png: no such picture"):
        store_image_vectors(tmp_path / "store", encoder, {"c": tmp_path / "c.png"}, QUIET)


def test_a_store_of_another_encoder_is_refused(tmp_path: Path) -> None:
    store_text_vectors(tmp_path, towers(), {"a": "a dog"}, QUIET)
    with pytest.raises(
        InputError, match=r"two-towers \(.*projected-letters|projected-letters.*two-towers"
    ):
        store_text_vectors(tmp_path, projected(), {"a": "a dog"}, QUIET)


def test_projections_learn_to_align_two_views_of_one_thing() -> None:
    """Two random views of eight hidden numbers, with noise; on unseen things, R@1 of 100.

    Chance is 0.01; untrained projections find under 0.1.
    """
    torch.manual_seed(0)
    things = torch.randn(500, 8)
    image = things @ torch.randn(8, 128) + 0.3 * torch.randn(500, 128)
    text = things @ torch.randn(8, 26) + 0.3 * torch.randn(500, 26)
    model = Projections(PROJECTION)

    def rate() -> float:
        model.eval()
        with torch.no_grad():
            seen, read = model.see(image[400:]), model.read(text[400:])
        return recall(read, seen, (1,))[0].rate

    assert rate() < 0.1
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    model.train()
    for _ in range(60):
        rows = torch.randperm(400)[:100]
        trace = model(FeaturePairs(image[rows], text[rows]))
        optimizer.zero_grad()
        info_nce(trace.image, trace.text, trace.scale).mean().backward()
        optimizer.step()
    assert rate() > 0.3


def test_two_towers_learn_the_names_of_colours() -> None:
    """Plain pictures of twelve mixtures of red, green and blue: R@1, by chance 0.08."""
    levels = {"no": 0, "some": 120, "much": 250}
    mixtures = [(r, g, b) for r in levels for g in ("no", "much") for b in ("no", "much")]
    lines = [f"{r} red {g} green {b} blue" for r, g, b in mixtures]
    tokenizer = Tokenizer.learn(lines, min_frequency=1)
    config = TwoTowersConfig(
        vocab=len(tokenizer), languages=("en",), side=16, width=16, hidden=16
    )  # fmt: skip
    torch.manual_seed(0)
    model = TwoTowers(config)
    colours = torch.tensor([[levels[name] / 255 for name in mixture] for mixture in mixtures])
    source = with_eos(tokenizer.encode_all(lines))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(40):
        plain = (colours + 0.05 * torch.randn(12, 3))[:, :, None, None].expand(-1, -1, 16, 16)
        pixels = Pixels(plain + 0.05 * torch.randn(12, 3, 16, 16), torch.arange(12))
        trace = model(Batch(tuple(lines), source, pixels=pixels))
        optimizer.zero_grad()
        info_nce(trace.image, trace.text, trace.scale).mean().backward()
        optimizer.step()
    encoder = TwoTowersEncoder(model, config, tokenizer)
    clean = (colours * 255).byte()[:, None, None].expand(-1, 16, 16, -1).numpy()
    found = recall(encoder.text_vectors(lines), encoder.image_vectors(clean), (1,))
    assert found[0].rate > 0.5
