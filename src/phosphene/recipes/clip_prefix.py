"""Image-free translation by a shared space of pictures and sentences.

Paper: Yang et al., *CLIPTrans: Transferring Visual Knowledge with Pre-trained Models for
Multimodal Machine Translation*, ICCV 2023.

0. ``align``: an encoder maps pictures and sentences to vectors of one space, then is frozen;
   ``pretrain``: a translator restores sentences. The paper's are published (M-CLIP, mBART-50).
1. ``caption``: a mapping network makes ``k`` prefix rows of the vector of a *picture*, and the
   decoder writes a caption behind them. The encoder reads nothing but a language token.
2. ``translate``: the vector of the *source sentence* takes the picture's place, and the encoder
   reads the sentence. No picture is needed any more, nor is one afterwards.

The loss of both stages is the cross-entropy of the target words. Other values of ``system`` are
ablations and controls. Departures from the paper: the prefix stands before all words, in training
and in use (in the authors' code BOS moves from position 0 to 10); vectors have unit variance; a
small translator keeps in stage 1 how it reads (``kept``); weights are averaged, not chosen.

    phosphene train clip_prefix --config toy --run runs/prefix              (two minutes)
    phosphene train clip_prefix --config small --run runs/m30k-prefix       (half an hour)
"""

from __future__ import annotations

import copy

from phosphene.core.runtime import seed_update
from phosphene.core.types import Batch
from phosphene.data.dataset import TrainingBatches, TranslationData
from phosphene.data.described_sources import load_described
from phosphene.evaluate.translator import validation_loss
from phosphene.models.prefix_folder import PrefixModel
from phosphene.models.translator import gold
from phosphene.objectives.likelihood import label_smoothed
from phosphene.recipes.aligned_encoder import aligned_encoder
from phosphene.recipes.clip_prefix_data import (
    Space,
    Withholding,
    captioned,
    captions,
    mixed,
    monolingual,
    sourced,
    translations,
)
from phosphene.recipes.clip_prefix_model import left_alone, translator, vocabulary
from phosphene.recipes.clip_prefix_results import Trained, evaluate, export
from phosphene.recipes.clip_prefix_settings import Settings, encoder_corpus
from phosphene.train.stage import Finished, Fitter, Stage
from phosphene.weighting.direct import Term, token_mean

__all__ = ["Settings", "evaluate", "export", "train"]


def train(trainer: Fitter, settings: Settings) -> Trained:
    """All stages of ``settings.system``."""
    data, arm = settings.data, settings.arm
    corpus = load_described(data, vocabulary(settings))
    encoder = aligned_encoder(trainer, settings.aligned, encoder_corpus(data), settings.seed)
    store = None if data.source == "world" else trainer.cache("vectors", encoder.identity.digest)
    space, tokenizer = Space(encoder, store, trainer.log), corpus.tokenizer

    seed_update(settings.seed)
    model, network = translator(settings, len(tokenizer), encoder.width)
    pretrain(trainer, settings, model, monolingual(corpus.monolingual, tokenizer))
    moments = {"start": copy.deepcopy(model)}
    told = captions(corpus.captions, data.caption_languages, data.directions[0][0], tokenizer)
    sentences = translations(corpus.train, data.directions, tokenizer)
    held_out = translations(corpus.validation, data.directions, tokenizer)

    if arm.captions and not arm.joint:
        caption(trainer, settings, model, captioned(arm, space, told, settings.seed))
        moments["caption"] = copy.deepcopy(model)
    examples = sourced(arm, space, sentences)
    if arm.joint:
        examples = mixed(examples, captioned(arm, space, told, settings.seed))
    finished = translate(trainer, settings, model, examples, sourced(arm, space, held_out))
    moments["translate"] = model
    return Trained(model, network, data.directions, corpus, space, encoder, moments, finished)


def pretrain(
    trainer: Fitter, settings: Settings, model: PrefixModel, text: TranslationData
) -> None:
    """Stage 0: restore sentences of which tokens are missing.

    Systems with a prefix of one length share it: a prefix that is withheld keeps its positions, so
    that a translator without one has its words elsewhere.
    """
    plan = settings.pretrain
    if not plan.budget.max_updates:
        return
    prefix = settings.mapping.length if model.mapping is not None else 0
    recipe = (settings.max_tokens, str(settings.smoothing), prefix)
    batches = TrainingBatches(text, settings.max_tokens, settings.seed)
    # Not the mapping network, which is not the same in every system.
    parts = {"embedding": model.embedding, "encoder": model.encoder, "decoder": model.decoder}
    of = (plan, settings.network, settings.data, settings.seed, *recipe)
    trainer.shared("pretrained", *of).fit(
        Stage(
            name="pretrain",
            modules=parts,
            batches=Withholding(batches, settings.seed, tokens=plan.dropped),
            data=text.digest(),
            loss=lambda batch: {"text": likelihood(model, batch, settings.smoothing)},
            budget=plan.budget,
            optim=plan.optim,
        )
    )


def caption(trainer: Fitter, settings: Settings, model: PrefixModel, told: TranslationData) -> None:
    """Stage 1: from a picture to what is said of it."""
    kept = left_alone(settings, model)
    for module in kept:
        module.requires_grad_(False)
    trainer.fit(
        Stage(
            name="caption",
            modules={"translator": model},
            batches=TrainingBatches(told, settings.max_tokens, settings.seed),
            data=told.digest(),
            loss=lambda batch: {"caption": likelihood(model, batch, settings.smoothing)},
            budget=settings.caption.budget,
            optim=settings.caption.optim,
        )
    )
    for module in kept:
        module.requires_grad_(True)


def translate(
    trainer: Fitter,
    settings: Settings,
    model: PrefixModel,
    sentences: TranslationData,
    held_out: TranslationData,
) -> Finished:
    """Stage 2: from a sentence, and its vector, to its translation."""
    batches = TrainingBatches(sentences, settings.max_tokens, settings.seed)
    masking, absent = settings.source_masking, settings.vector_masking
    return trainer.fit(
        Stage(
            name="translate",
            modules={"translator": model},
            batches=Withholding(batches, settings.seed, tokens=masking, vectors=absent),
            data=sentences.digest(),
            loss=lambda batch: {"translation": likelihood(model, batch, settings.smoothing)},
            evaluate=lambda: {"loss": validation_loss(model, held_out, settings.smoothing)},
            budget=settings.translate.budget,
            optim=settings.translate.optim,
        )
    )


def likelihood(model: PrefixModel, batch: Batch, smoothing: float) -> Term:
    """Cross-entropy of the target words, the language token and EOS among them."""
    words, mask = gold(batch.target)
    return token_mean(label_smoothed(model(batch).logits, words, smoothing), mask)
