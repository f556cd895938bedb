"""What the recipe ``vlp_mmt`` leaves behind, and how it is scored."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from phosphene.core.config import settings_hash
from phosphene.core.runlog import RunLog, sign
from phosphene.core.types import MaskedPairs
from phosphene.data.corpus import Corpus
from phosphene.data.dataset import NO_PICTURE
from phosphene.data.pretraining import PretrainingBatches
from phosphene.evaluate.gates import gate_scores, lexicon
from phosphene.evaluate.pictures import picture_controls
from phosphene.evaluate.pretraining import blind, masked_word_score, pairing_score
from phosphene.evaluate.score import Score
from phosphene.evaluate.system import Results, SplitResult, System, score_split, with_photo_subsets
from phosphene.evaluate.world import world_judge
from phosphene.models.folder import Vision
from phosphene.models.pretraining import PretrainingHeads
from phosphene.models.teachers import build_teacher
from phosphene.models.vlencoder import VLEncoder
from phosphene.models.vlfolder import VLFolderConfig, VLTranslatorFolder, save_vl_translator
from phosphene.models.vltranslator import VLTranslator, VLTranslatorConfig
from phosphene.recipes.vlp_mmt_data import Data, grid_network
from phosphene.recipes.vlp_mmt_settings import Settings
from phosphene.train.stage import Finished
from phosphene.weighting.gate import TokenGate


@dataclass(frozen=True)
class Trained:
    """What the recipe leaves behind. Inference needs model, config and tokenizers only."""

    model: VLTranslator
    config: VLTranslatorConfig
    data: Data
    finished: Finished
    gate: TokenGate
    encoder: VLEncoder
    """As pre-training left it."""
    heads: PretrainingHeads | None
    """Of pre-training, where there was one."""

    @property
    def corpus(self) -> Corpus:
        """What it was trained and is scored on."""
        return self.data.corpus


def evaluate(trained: Trained, settings: Settings, log: RunLog) -> Results:
    """Score every test split, with the right pictures and with others."""
    system = System(
        name=settings.system,
        model=trained.model,
        tokenizer=trained.corpus.tokenizer,
        search=settings.search,
        language=settings.data.languages[1],
        tokenised=settings.data.tokenised,
    )
    splits = []
    for name, data in with_photo_subsets(trained.corpus.tests).items():
        scenes = trained.corpus.scenes.get(name)
        judge = None if scenes is None else world_judge(scenes, settings.data.languages[1])
        result = score_split(system, name, data, log, judge)
        seen = set(data.picture_of.tolist())
        if settings.sees and NO_PICTURE not in seen and len(seen) > 1:
            likelihoods = np.array([line.likelihood for line in result.lines])
            controls = picture_controls(system, data, likelihoods, judge)
            result = replace(result, scores=(*result.scores, *controls))
        splits.append(result)
    if trained.heads is not None:
        held_out = _pretraining(trained, trained.heads, settings)
        if settings.learns_gate:
            held_out = replace(held_out, scores=(*held_out.scores, *_gates(trained, settings)))
        splits.append(held_out)
    signature = sign(
        trained.corpus.digest(),
        settings_hash(settings),
        settings.seed,
        trained.finished.selection,
    )
    return Results(settings.system, system.language, signature, tuple(splits))


def _pretraining(trained: Trained, heads: PretrainingHeads, settings: Settings) -> SplitResult:
    """Both tasks on the test pairs, with everything, without tags, without pictures."""
    plan, data = settings.pretraining, trained.data
    assert data.tests is not None
    held_out = data.tests

    def batches(**changes: float) -> Iterable[MaskedPairs]:
        masking = plan.masking.model_copy(update={"hide_tags": 0.0, **changes})
        return PretrainingBatches(held_out, data.wordpiece, masking, plan.max_tokens, 0).once()

    encoder = trained.encoder
    scores = (
        pairing_score(encoder, heads, batches(probability=0.0), ""),
        pairing_score(encoder, heads, batches(probability=0.0, hide_tags=1.0), ", tags hidden"),
        masked_word_score(encoder, heads, batches(), ""),
        masked_word_score(encoder, heads, batches(hide_tags=1.0), ", tags hidden"),
        masked_word_score(encoder, heads, blind(batches()), ", withheld"),
    )
    return SplitResult("held-out", len(held_out), scores)


def _gates(trained: Trained, settings: Settings) -> list[Score]:
    """Lambda by word class, on the validation pairs that have a picture."""
    return gate_scores(
        trained.model,
        settings.modality.weigh(trained.gate),
        trained.corpus.validation.only_with_pictures(),
        lexicon(trained.corpus.train.pairs),
        trained.corpus.tokenizer,
        settings.data.languages[1],
    )


def export(trained: Trained, settings: Settings, folder: Path) -> None:
    """What inference needs: no gate, no heads; who looked, if it can look again."""
    regions = settings.regions
    vision = None
    if settings.sees and regions.source == "grid":
        network = grid_network(regions)
        vision = Vision(network, build_teacher(network))
    config = VLFolderConfig(
        translator=trained.config,
        geometry=regions.geometry,
        most=regions.most,
        use_tags=regions.use_tags,
    )
    save_vl_translator(
        folder,
        VLTranslatorFolder(
            trained.model, config, trained.data.wordpiece, trained.corpus.tokenizer, vision
        ),
    )


__all__ = ["Trained", "evaluate", "export"]
