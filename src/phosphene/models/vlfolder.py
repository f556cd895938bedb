"""The model folder of a vision-language translator.

``model.safetensors``, ``config.json``, ``wordpiece.json`` for the source and ``tokenizer.json``
for the target. Where regions are the cells of an image classifier, ``vision.json`` says of which.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from phosphene.core.config import Frozen, parse_settings
from phosphene.core.errors import InputError
from phosphene.core.types import Batch, Tokens
from phosphene.data.loader import collate
from phosphene.data.regions import Geometry, PictureRegions, RegionTable
from phosphene.data.text import Tokenizer
from phosphene.data.wordpiece import WordPiece
from phosphene.models.folder import (
    Vision,
    check_entries,
    load_folder_weights,
    load_vision,
    model_kind,
    read_record,
    save_folder_weights,
    save_vision,
    write_record,
)
from phosphene.models.regions import GridTeacher, look_at
from phosphene.models.vltranslator import VLTranslator, VLTranslatorConfig, build

KIND = "vl_translator"


class VLFolderConfig(Frozen):
    """``config.json``."""

    kind: str = KIND
    translator: VLTranslatorConfig
    geometry: Geometry = 4
    """Numbers of geometry behind each feature."""
    most: int = 100
    """Regions of a picture."""
    use_tags: bool = True


@dataclass(frozen=True)
class VLTranslatorFolder:
    """A translator ready to be used, in evaluation mode: a pipeline."""

    model: VLTranslator
    config: VLFolderConfig
    wordpiece: WordPiece
    tokenizer: Tokenizer
    vision: Vision | None = None

    @property
    def needs_pictures(self) -> bool:
        """It was trained on sentences without a picture too."""
        return False

    @property
    def forced(self) -> tuple[int, ...]:
        """One language, one direction: nothing."""
        return ()

    def batch(self, lines: Sequence[str], pictures: Sequence[Path | None]) -> Batch:
        """Original sentences, with regions and tags of the pictures that are there.

        Raises:
            InputError: a picture is missing or damaged, or whoever looked at the training
                pictures is not at hand.
        """
        names = [None if picture is None else str(picture) for picture in pictures]
        table = self._look([picture for picture in pictures if picture is not None])
        regions = tags = None
        if table is not None:
            regions = table.regions(names)
            tags = Tokens.pad(self.wordpiece.encode_all(self._labels(table, names)))
        return collate(
            [str(row) for row in range(len(lines))],
            self.wordpiece.encode_all(list(lines)),
            regions=regions,
            tags=tags,
            source_end=(),
        )

    def text(self, ids: Sequence[int]) -> str:
        """Words as text."""
        return self.tokenizer.decode(ids)

    def _labels(self, table: RegionTable, names: Sequence[str | None]) -> list[str]:
        if not self.config.use_tags:
            return [""] * len(names)
        return ["" if name is None else " ".join(table.tags(name)) for name in names]

    def _look(self, pictures: Sequence[Path]) -> RegionTable | None:
        """Regions by the pictures' paths."""
        if not pictures or not self.config.translator.sees:
            return None
        if self.vision is None or not isinstance(self.vision.network, GridTeacher):
            raise InputError(
                f"{pictures[0]}: this model reads the regions of a detector that is not part of "
                "it; expected sentences without pictures"
            )
        found = look_at(self.vision.network, pictures)
        seen: dict[str, PictureRegions] = dict(zip(map(str, pictures), found, strict=True))
        return RegionTable(seen, geometry=self.config.geometry, most=self.config.most)


def save_vl_translator(folder: Path, saved: VLTranslatorFolder) -> None:
    """Write a model folder, each file all or nothing; ``config.json`` is the last."""
    save_folder_weights(saved.model, folder / "model.safetensors")
    saved.wordpiece.save(folder / "wordpiece.json")
    saved.tokenizer.save(folder / "tokenizer.json")
    if saved.vision is not None:
        save_vision(folder, saved.vision)
    write_record(folder / "config.json", saved.config.model_dump(mode="json"))


def load_vl_translator(folder: Path) -> VLTranslatorFolder:
    """The translator in ``folder``.

    Raises:
        InputError: a file is missing or damaged, or the folder holds something else.
    """
    path = folder / "config.json"
    if model_kind(folder) != KIND:
        raise InputError(f"{path}: this is not a {KIND}")
    config = parse_settings(VLFolderConfig, read_record(path), str(path))
    wordpiece = WordPiece.load(folder / "wordpiece.json")
    tokenizer = Tokenizer.load(folder / "tokenizer.json")
    check_entries(folder / "tokenizer.json", len(tokenizer), config.translator.vocab)
    model = build(config.translator)
    load_folder_weights(model, folder / "model.safetensors")
    return VLTranslatorFolder(model.eval(), config, wordpiece, tokenizer, load_vision(folder))


__all__ = [
    "KIND",
    "VLFolderConfig",
    "VLTranslatorFolder",
    "load_vl_translator",
    "save_vl_translator",
]
