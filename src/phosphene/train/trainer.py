"""The loop: updates, evaluations, snapshots, and the exact way back into an interrupted run."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import nn

from phosphene.core.config import Frozen, settings_hash
from phosphene.core.files import alone_in, make_folder
from phosphene.core.runlog import Advance, RunLog
from phosphene.core.runtime import Runtime, seed_update
from phosphene.train.bilevel import LookAheadUpdater
from phosphene.train.checkpoint import (
    Checkpoint,
    average,
    latest_checkpoint,
    load_modules,
    module_tensors,
    read_checkpoint,
    write_checkpoint,
)
from phosphene.train.optim import learning_rate
from phosphene.train.progress import Progress
from phosphene.train.stage import Finished, Stage
from phosphene.train.update import PlainUpdater, Updater, gradient_shares


class Trainer:
    """Runs stages one after the other inside a run folder.

    Every update seeds itself from (seed, stage, update, process) and takes the batch that the
    position names, so a checkpoint holds weights, optimiser and :class:`Progress` and nothing
    else, and a run killed at any moment ends with the same weights as one that was not.
    """

    def __init__(
        self,
        folder: Path,
        runtime: Runtime,
        log: RunLog,
        seed: int,
        *,
        asked_by: RunLog | None = None,
    ) -> None:
        self.folder = folder
        self.runtime = runtime
        self.log = log
        self.seed = seed
        self.asked_by = asked_by
        """The log of the run that a shared stage is trained for, or was trained before."""

    @property
    def device(self) -> torch.device:
        """Where modules live."""
        return self.runtime.device

    def shared(self, name: str, *identity: Frozen | int | str) -> Trainer:
        """A trainer for a stage that runs beside this one share, if ``identity`` is the same.

        Its folder is ``shared/NAME-HASH`` beside the run folder.
        """
        folder = shared_folder(self.folder, name, identity)
        make_folder(folder)
        log = RunLog(folder / "log.jsonl" if self.log.path else None, quiet=self.log.quiet)
        return Trainer(folder, self.runtime, log, self.seed, asked_by=self.log)

    def cache(self, name: str, key: str) -> Path:
        """The folder ``shared/NAME-KEY`` beside the run folder; it may not exist yet."""
        return self.folder.parent / "shared" / f"{name}-{key}"

    def fit(self, stage: Stage) -> Finished:
        """Train ``stage`` from where it stands; its modules end with its final weights.

        A stage that was finished before is loaded, not run.
        """
        folder = self.folder / "checkpoints" / stage.name
        _check(stage)
        for module in stage.saved.values():
            module.to(self.runtime.device)
        with alone_in(self.folder, wait=self.log.say) if self.runtime.is_main else nullcontext():
            self.runtime.barrier()
            if not (folder / "final").exists():
                self._run(stage, folder)
            self.runtime.barrier()
            return self._conclude(stage, folder)

    def _run(self, stage: Stage, folder: Path) -> None:
        """Train ``stage`` to its end and write its final weights."""
        checkpoint = latest_checkpoint(folder, "resume-", self.log.say)
        if checkpoint is not None:
            load_modules(stage.saved, checkpoint.tensors)
        updater = open_updater(stage, self.runtime)
        if checkpoint is not None:
            updater.load(checkpoint.tensors)
        progress = self._restore(stage, checkpoint, folder)
        with self.log.progress(stage.name, stage.budget.max_updates, progress.update) as advance:
            self._train(stage, updater, progress, folder, advance)
        updater.close()
        if self.runtime.is_main:
            _write_final(stage, progress, folder)

    def _train(
        self,
        stage: Stage,
        updater: Updater,
        progress: Progress,
        folder: Path,
        advance: Advance,
    ) -> None:
        budget = stage.budget
        last_save = last_log = started = time.monotonic()
        before = progress.seconds
        tokens = 0.0
        _to_train(stage.saved)
        batches = stage.batches.iterate(
            progress.position, self.runtime.rank, self.runtime.processes
        )
        stage_number = int.from_bytes(stage.name.encode(), "big")
        while progress.update < budget.max_updates and not progress.idle(budget.patience):
            position, batch = next(batches)
            progress.update += 1
            update = progress.update
            seed_update(self.seed, stage_number, update, self.runtime.rank)
            batch = batch.to(self.runtime.device)
            rate = learning_rate(stage.optim, update, budget.max_updates)
            outcome = updater(update, batch, rate)
            ends_epoch = position.batch == 0
            progress.position = position
            now = time.monotonic()
            progress.seconds = before + now - started
            tokens += max(outcome.counts.values())
            if update % 50 == 0 or update == 1:
                speed = tokens / max(now - last_log, 1e-9)
                tokens, last_log = 0.0, now
                self.log.event(
                    stage.name,
                    update,
                    "train",
                    **outcome.means,
                    rate=rate,
                    gradient_norm=outcome.gradient_norm,
                    per_second=round(speed, 1),
                )
                note = " ".join(f"{name} {value:.3f}" for name, value in outcome.means.items())
                advance(update, note)
            every = budget.evaluate_every_updates
            evaluated = (update % every == 0) if every else ends_epoch
            if evaluated or self.runtime.agree(now - last_save > budget.checkpoint_seconds):
                with updater.whole():
                    if evaluated:
                        self._snapshot(stage, progress, batch, folder)
                    self._save(stage, updater, progress, folder)
                last_save = time.monotonic()

    def _snapshot(self, stage: Stage, progress: Progress, batch: Any, folder: Path) -> None:
        """Evaluate, judge for early stopping, keep the weights for the final average."""
        values: dict[str, float] = {}
        if stage.evaluate is not None:
            _to_eval(stage.saved)
            with torch.no_grad():
                values = self.runtime.of_main(stage.evaluate())
            progress.judge(values)
            _to_train(stage.saved)
        if stage.watch is not None:
            with _buffers_kept(stage.saved):  # looking must not move batch statistics
                shares = gradient_shares(stage.loss(batch), stage.watch)
            values |= {f"gradient_share/{name}": share for name, share in shares.items()}
        progress.snapshots.append(progress.update)
        self.log.event(
            stage.name,
            progress.update,
            "evaluate",
            epoch=progress.position.epoch,
            seconds=round(progress.seconds, 1),
            **values,
        )
        shown = " ".join(f"{name} {value:.3f}" for name, value in values.items())
        self.log.say(f"{stage.name} update {progress.update} {shown}")
        if self.runtime.is_main:
            kept = _selected(stage, progress)
            if progress.update in kept:
                write_checkpoint(
                    _snapshot_folder(folder, progress.update),
                    Checkpoint(module_tensors(stage.saved), {"update": progress.update}),
                )
            for update in set(progress.snapshots) - set(kept):
                _remove(_snapshot_folder(folder, update))

    def _save(self, stage: Stage, updater: Updater, progress: Progress, folder: Path) -> None:
        """Write all that a resumed run needs; the last two are kept.

        The processes' clocks differ, so nobody waits for anybody here, unless weights are shared
        out: then they agree on the moment.
        """
        tensors = module_tensors(stage.saved) | updater.tensors()
        if not self.runtime.is_main:
            return
        write_checkpoint(
            _resume_folder(folder, progress.update), Checkpoint(tensors, progress.record())
        )
        for old in sorted(folder.glob("resume-*"))[:-2]:
            _remove(old)

    def _restore(self, stage: Stage, checkpoint: Checkpoint | None, folder: Path) -> Progress:
        """How far ``checkpoint`` is; what was written after it is cleared away."""
        progress = Progress(data=stage.data)
        if checkpoint is not None:
            progress = Progress.restore(checkpoint.state)
            stage.check_data(progress.data, folder)
            self.log.say(f"{stage.name}: resumed at update {progress.update}")
        if self.runtime.is_main:
            self.log.rewind(stage.name, progress.update)
            resumed = _resume_folder(folder, progress.update)
            damaged = [path for path in folder.glob("resume-*") if path > resumed]
            for lost in [*folder.glob(".*.partial"), *damaged]:
                _remove(lost)
        return progress

    def _conclude(self, stage: Stage, folder: Path) -> Finished:
        """Load the final weights and clear away what led to them.

        A kill in the middle leaves nothing behind: all of it is done again by the next start.
        """
        checkpoint = read_checkpoint(folder / "final")
        load_modules(stage.saved, checkpoint.tensors)
        _to_eval(stage.saved)
        finished = Finished(**checkpoint.state)
        stage.check_data(finished.data, folder)
        if self.runtime.is_main:
            if not self.log.has(stage.name, "finished"):
                self.log.rewind(stage.name, finished.update)
                self.log.event(stage.name, finished.update, "finished", **vars(finished))
            if self.asked_by is not None and not self.asked_by.has(stage.name, "shared"):
                self.asked_by.event(
                    stage.name, finished.update, "shared", folder=self.folder.name, **vars(finished)
                )
            for pattern in ("resume-*", "snapshot-*", ".*.partial"):
                for old in folder.glob(pattern):
                    _remove(old)
        return finished


def shared_folder(folder: Path, name: str, identity: Sequence[Frozen | int | str]) -> Path:
    """Where runs beside ``folder`` keep a stage of theirs that has this ``identity``."""
    parts = [settings_hash(part) if isinstance(part, Frozen) else str(part) for part in identity]
    key = hashlib.sha256(" ".join(parts).encode()).hexdigest()[:12]
    return folder.parent / "shared" / f"{name}-{key}"


def _write_final(stage: Stage, progress: Progress, folder: Path) -> None:
    """Write the stage's final weights: the mean of its selected snapshots."""
    kept = _selected(stage, progress)
    tensors = module_tensors(stage.saved)
    selection = f"update {progress.update}"
    best = stage.budget.select == "best"
    if (best and kept) or len(kept) > 1:
        snapshots = [read_checkpoint(_snapshot_folder(folder, update)) for update in kept]
        tensors = average([snapshot.tensors for snapshot in snapshots])
        selection = f"mean of {len(kept)} snapshots, updates {kept[0]} to {kept[-1]}"
        if best:
            selection = f"best of {len(progress.snapshots)} snapshots, update {kept[0]}"
    finished = Finished(progress.update, round(progress.seconds, 1), selection, progress.data)
    write_checkpoint(folder / "final", Checkpoint(tensors, vars(finished)))


def open_updater(stage: Stage, runtime: Runtime) -> Updater:
    """Whatever makes the updates of ``stage``.

    Raises:
        InputError: the stage learns the weights of its losses and the runtime cannot do that.
    """
    if stage.look_ahead is None:
        return PlainUpdater(stage, runtime)
    return LookAheadUpdater(stage, stage.look_ahead, runtime)


def _selected(stage: Stage, progress: Progress) -> list[int]:
    """The snapshots that the final weights would be made of if the stage ended now."""
    if stage.budget.select == "best":
        return [progress.best_update] if progress.best_update else []
    return progress.snapshots[-stage.budget.average_last :]


def _check(stage: Stage) -> None:
    for name, module in stage.frozen.items():
        trainable = any(parameter.requires_grad for parameter in module.parameters())
        if trainable or any(part.training for part in module.modules()):
            raise ValueError(f"stage '{stage.name}': '{name}' is declared frozen and is not")


@contextmanager
def _buffers_kept(modules: Mapping[str, nn.Module]) -> Iterator[None]:
    """Give every buffer its value back afterwards."""
    buffers = [buffer for module in modules.values() for buffer in module.buffers()]
    values = [buffer.clone() for buffer in buffers]
    yield
    with torch.no_grad():
        for buffer, value in zip(buffers, values, strict=True):
            buffer.copy_(value)


def _to_train(modules: Mapping[str, nn.Module]) -> None:
    for module in modules.values():
        module.train()


def _to_eval(modules: Mapping[str, nn.Module]) -> None:
    for module in modules.values():
        module.eval()


def _snapshot_folder(folder: Path, update: int) -> Path:
    return folder / f"snapshot-{update:09d}"


def _resume_folder(folder: Path, update: int) -> Path:
    return folder / f"resume-{update:09d}"


def _remove(folder: Path) -> None:
    for path in folder.glob("*"):
        path.unlink()
    if folder.exists():
        folder.rmdir()
