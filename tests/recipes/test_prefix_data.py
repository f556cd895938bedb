"""Examples with language tokens and vectors, and vectors that are kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from phosphene.core.errors import InputError
from phosphene.core.runlog import RunLog
from phosphene.data.described import Described
from phosphene.data.shards import Producer
from phosphene.data.text import Tokenizer
from phosphene.data.world import Split, World
from phosphene.evaluate.world import naming_judge
from phosphene.models.aligned import AlignedEncoder
from phosphene.recipes.clip_prefix_data import Space, captions, mixed, translations

LOG = RunLog(None, quiet=True)


class Lengths:
    """A picture's vector is its mean colour, a sentence's counts its words and letters."""

    width = 3
    side = 4
    normalised = False
    languages = None

    def __init__(self, digest: str = "0") -> None:
        self.identity = Producer("lengths", digest)
        self.asked = 0

    def image_vectors(
        self, pictures: UInt8[np.ndarray, "picture height width 3"]
    ) -> Float[Tensor, "picture feature"]:
        self.asked += len(pictures)
        return torch.from_numpy(pictures.mean(axis=(1, 2))).float()

    def text_vectors(self, lines: Sequence[str]) -> Float[Tensor, "line feature"]:
        self.asked += len(lines)
        return torch.tensor([[len(line.split()), len(line), 1.0] for line in lines])


@pytest.fixture
def items(tmp_path: Path) -> list[Described]:
    for name in ("red", "blue"):
        Image.new("RGB", (5, 5), name).save(tmp_path / f"{name}.png")
    return [
        Described("1", {"en": "a dog", "de": "ein hund"}, tmp_path / "red.png"),
        Described("2", {"en": "a cat", "de": "eine katze"}),
        Described("3", {"de": "hunde"}, tmp_path / "blue.png"),
        Described("4", {"en": "dogs", "de": "hunde"}, tmp_path / "red.png"),
    ]


@pytest.fixture
def tokenizer() -> Tokenizer:
    text = ["a dog", "ein hund", "a cat", "eine katze", "dogs", "hunde"]
    return Tokenizer.learn(text, languages=("en", "de"))


def test_every_direction_has_its_language_tokens(
    items: list[Described], tokenizer: Tokenizer
) -> None:
    found = translations(items, [("en", "de"), ("de", "en")], tokenizer).data
    assert [pair.id for pair in found.pairs] == [
        "en-de:1", "en-de:2", "en-de:4", "de-en:1", "de-en:2", "de-en:4",
    ]  # fmt: skip
    english, german = tokenizer.language_id("en"), tokenizer.language_id("de")
    assert [source[0] for source in found.sources] == [english] * 3 + [german] * 3
    assert [target[0] for target in found.targets] == [german] * 3 + [english] * 3
    assert tokenizer.decode(found.targets[0]) == "ein hund"
    assert found.picture_of.tolist() == [0, -1, 0, 0, -1, 0]
    with pytest.raises(InputError, match="language 'fr' has no code here"):
        captions([Described("5", {"fr": "un chien"})], ["fr"], "en", tokenizer)


def test_a_caption_is_all_target(items: list[Described], tokenizer: Tokenizer) -> None:
    found = captions(items, ["de"], "en", tokenizer).data
    assert found.sources == [[tokenizer.language_id("en")]] * 4
    assert [tokenizer.decode(target) for target in found.targets] == [
        "ein hund", "eine katze", "hunde", "hunde",
    ]  # fmt: skip
    batch = found.batch(np.array([0, 1]))
    assert batch.source.mask.sum(dim=1).tolist() == [2, 2]  # language and EOS


def test_vectors_of_sentences_pictures_and_other_pictures(
    items: list[Described], tokenizer: Tokenizer
) -> None:
    encoder = Lengths()
    assert isinstance(encoder, AlignedEncoder)
    space, told = Space(encoder, None, LOG), captions(items, ["de"], "en", tokenizer)
    rows = np.arange(4)
    said, shown, others = (
        data.batch(rows).vectors
        for data in (space.saying(told), space.showing(told), space.showing_others(told, 1))
    )
    assert said is not None and shown is not None and others is not None
    assert said.values[:, 0].tolist() == [2, 2, 1, 1]
    assert said.mask.all()
    red, blue, nothing = [255.0, 0.0, 0.0], [0.0, 0.0, 255.0], [0.0, 0.0, 0.0]
    assert shown.values.tolist() == [red, nothing, blue, red]
    assert shown.mask.tolist() == others.mask.tolist() == [True, False, True, True]
    assert others.values.tolist() == [blue, nothing, red, blue]
    both = mixed(space.saying(told), space.showing(told)).batch(np.arange(8)).vectors
    assert both is not None
    torch.testing.assert_close(both.values, torch.cat([said.values, shown.values]))


def test_vectors_are_computed_once_and_by_one_encoder(
    items: list[Described], tokenizer: Tokenizer, tmp_path: Path
) -> None:
    told, encoder = captions(items, ["de"], "en", tokenizer), Lengths()
    space = Space(encoder, tmp_path / "kept", LOG)
    first, pictures = space.saying(told), space.showing(told)
    assert encoder.asked == 3 + 2  # two sentences and two pictures are the same
    again = Space(encoder, tmp_path / "kept", LOG)
    assert first.vectors is not None and pictures.vectors is not None
    for kept, data in ((first, again.saying(told)), (pictures, again.showing(told))):
        assert kept.vectors is not None and data.vectors is not None
        torch.testing.assert_close(kept.vectors.values, data.vectors.values)
    assert encoder.asked == 5
    with pytest.raises(InputError, match=r"made by lengths \(0\), expected lengths \(1\)"):
        Space(Lengths("1"), tmp_path / "kept", LOG).saying(told)


def test_a_picture_that_is_none_is_named(
    items: list[Described], tokenizer: Tokenizer, tmp_path: Path
) -> None:
    (tmp_path / "blue.png").write_bytes(b"no picture")
    for folder in (None, tmp_path / "kept"):
        with pytest.raises(InputError, match=r"blue\.png: expected a picture"):
            Space(Lengths(), folder, LOG).showing(captions(items, ["de"], "en", tokenizer))


def test_captions_are_judged_by_what_is_there() -> None:
    world = World(1, ("de",))
    scene = next(
        scene
        for scene in (world.scene(Split.ORDINARY, index) for index in range(200))
        if [thing.kind for thing in scene.things] == ["dog", "car"] or scene.plot == "show"
    )
    assert scene.plot == "show"
    kind = scene.focus.kind
    from phosphene.data.world.lexicon import WORDS

    right, wrong = WORDS["de"][kind].singular, WORDS["de"]["trunk_chest"].singular
    judge = naming_judge([scene] * 4, "de")
    scores = {s.name: s.value for s in judge([right, f"{right} {wrong}", wrong, ""])}
    assert scores == {"thing named": 50.0, "names what is there": 25.0, "all nouns right": 25.0}
