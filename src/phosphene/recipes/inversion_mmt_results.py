"""What the recipe ``inversion_mmt`` leaves behind, and how it is scored."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from phosphene.core.config import settings_hash
from phosphene.core.runlog import RunLog, sign
from phosphene.core.runtime import seed_update
from phosphene.data.corpus import Corpus
from phosphene.evaluate.features import feature_scores
from phosphene.evaluate.system import Results, System, score_split, with_photo_subsets
from phosphene.evaluate.world import world_judge
from phosphene.models.folder import Vision, save_translator
from phosphene.models.translator import Translator, TranslatorConfig, build_generator
from phosphene.nn.visual import VisualTeacher
from phosphene.recipes.inversion_mmt_settings import NEEDS_PICTURES, Settings
from phosphene.train.stage import Finished


@dataclass(frozen=True)
class Trained:
    """What the recipe leaves behind. Inference needs model, config and tokenizer only."""

    model: Translator
    config: TranslatorConfig
    corpus: Corpus
    teacher: VisualTeacher | None
    finished: Finished


def evaluate(trained: Trained, settings: Settings, log: RunLog) -> Results:
    """Score every test split and validation; a system that needs pictures only where they are."""
    system = System(
        name=settings.system,
        model=trained.model,
        tokenizer=trained.corpus.tokenizer,
        search=settings.search,
        language=settings.data.languages[1],
        needs_pictures=settings.system in NEEDS_PICTURES,
        tokenised=settings.data.tokenised,
    )
    splits = []
    parts = {**with_photo_subsets(trained.corpus.tests), "validation": trained.corpus.validation}
    for name, data in parts.items():
        scenes = trained.corpus.scenes.get(name)
        judge = None if scenes is None else world_judge(scenes, settings.data.languages[1])
        result = score_split(system, name, data, log, judge)
        if settings.distils and trained.teacher is not None and len(data.only_with_pictures()):
            seen = feature_scores(
                trained.model, trained.config, trained.teacher, data, trained.corpus.train
            )
            result = replace(result, scores=(*result.scores, *seen))
        splits.append(result)
    signature = sign(
        trained.corpus.digest(),
        settings_hash(settings),
        settings.seed,
        trained.finished.selection,
    )
    return Results(settings.system, system.language, signature, tuple(splits))


def export(trained: Trained, settings: Settings, folder: Path) -> None:
    """What inference needs. The released code saves no generator: it meets a new one."""
    made, config = trained.model.generator, trained.config.generator
    if made is not None and config is not None and config.released:
        seed_update(0)
        made.load_state_dict(build_generator(trained.config.hidden, config).state_dict())
    vision = None
    if settings.system in NEEDS_PICTURES and trained.teacher is not None:
        vision = Vision(settings.teacher, trained.teacher)
    save_translator(folder, trained.model, trained.config, trained.corpus.tokenizer, vision)
