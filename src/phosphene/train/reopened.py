"""The stages of a finished run, loaded and never trained."""

from __future__ import annotations

from pathlib import Path
from typing import final

import torch

from phosphene.core.config import Frozen
from phosphene.core.errors import InputError
from phosphene.core.runlog import RunLog
from phosphene.train.checkpoint import load_modules, read_checkpoint
from phosphene.train.stage import Finished, Stage
from phosphene.train.trainer import shared_folder


@final
class Reopened:
    """Gives a recipe its trained modules back; where they are missing it trains nothing.

    Nothing is written into the run folder. What runs share (vectors, regions, a teacher's answers)
    is read where it lies, and made again there where somebody has removed it.
    """

    def __init__(self, folder: Path, device: torch.device, log: RunLog) -> None:
        self.folder = folder
        self.log = log
        self._device = device

    @property
    def device(self) -> torch.device:
        """Where modules live."""
        return self._device

    def shared(self, name: str, *identity: Frozen | int | str) -> Reopened:
        """The same for a stage that runs beside this one share."""
        return Reopened(shared_folder(self.folder, name, identity), self.device, self.log)

    def cache(self, name: str, key: str) -> Path:
        """The folder ``shared/NAME-KEY`` beside the run folder."""
        return self.folder.parent / "shared" / f"{name}-{key}"

    def fit(self, stage: Stage) -> Finished:
        """Load what ``stage`` ended with.

        Raises:
            InputError: it was not finished, or on other data, or its checkpoint is damaged.
        """
        final_folder = self.folder / "checkpoints" / stage.name / "final"
        if not final_folder.is_dir():
            raise InputError(
                f"{final_folder}: missing; expected the finished stage '{stage.name}' "
                "(train the run to its end first)"
            )
        for module in stage.saved.values():
            module.to(self.device)
        checkpoint = read_checkpoint(final_folder)
        finished = Finished(**checkpoint.state)
        stage.check_data(finished.data, final_folder.parent)
        load_modules(stage.saved, checkpoint.tensors)
        for module in stage.saved.values():
            module.eval()
        return finished


__all__ = ["Reopened"]
