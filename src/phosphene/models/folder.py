"""A model folder: what inference needs and nothing else.

``model.safetensors``, ``config.json`` and ``tokenizer.json``. No teacher, no student CNN, no
optimiser.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load, save

from phosphene.core.errors import InputError
from phosphene.core.files import write_atomically
from phosphene.core.types import Batch
from phosphene.data.loader import collate
from phosphene.data.text import Tokenizer
from phosphene.models.translator import Translator, TranslatorConfig, build


@dataclass(frozen=True)
class TranslatorFolder:
    """A translator ready to be used, in evaluation mode: a :class:`~.pipeline.Pipeline`."""

    model: Translator
    config: TranslatorConfig
    tokenizer: Tokenizer

    @property
    def needs_pictures(self) -> bool:
        """Whether regions come from pictures; the teacher that makes them is not in the folder."""
        return self.config.fusion != "none" and self.config.generator is None

    @property
    def forced(self) -> tuple[int, ...]:
        """One language, one direction: nothing."""
        return ()

    def batch(self, lines: Sequence[str], pictures: Sequence[Path | None]) -> Batch:
        """Source sentences side by side. Pictures are not looked at."""
        names = [str(row) for row in range(len(lines))]
        return collate(names, self.tokenizer.encode_all(lines))

    def text(self, ids: Sequence[int]) -> str:
        """Target words as text."""
        return self.tokenizer.decode(ids)


def save_translator(
    folder: Path, model: Translator, config: TranslatorConfig, tokenizer: Tokenizer
) -> None:
    """Write a model folder, each file all or nothing."""
    weights = {name: tensor.cpu().contiguous() for name, tensor in model.state_dict().items()}
    write_atomically(folder / "model.safetensors", save(weights))
    record = {"kind": "translator", **config.model_dump(mode="json")}
    write_atomically(folder / "config.json", json.dumps(record, indent=1).encode())
    tokenizer.save(folder / "tokenizer.json")


def load_translator(folder: Path) -> TranslatorFolder:
    """The translator in ``folder``.

    Raises:
        InputError: a file is missing or damaged, or the folder holds something else.
    """
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        if not (folder / name).is_file():
            raise InputError(f"{folder}: no {name}; expected the model folder of a finished run")
    try:
        record = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if not isinstance(record, dict) or record.pop("kind", None) != "translator":
            raise InputError(f"{folder / 'config.json'}: this is not a translator")
        config = TranslatorConfig.model_validate(record)
        model = build(config)
    except (OSError, ValueError) as error:
        raise InputError(f"{folder / 'config.json'}: not a model configuration") from error
    try:
        model.load_state_dict(load((folder / "model.safetensors").read_bytes()))
    except (RuntimeError, SafetensorError) as error:
        raise InputError(
            f"{folder / 'model.safetensors'}: damaged, or not the weights of config.json"
        ) from error
    tokenizer = Tokenizer.load(folder / "tokenizer.json")
    if len(tokenizer) != config.vocab:
        raise InputError(
            f"{folder / 'tokenizer.json'}: {len(tokenizer)} entries, "
            f"expected {config.vocab} as config.json says"
        )
    return TranslatorFolder(model.eval(), config, tokenizer)
