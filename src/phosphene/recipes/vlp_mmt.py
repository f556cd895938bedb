"""Multimodal translation on top of vision-language pre-training.

Paper: Kong and Fan, *Probing Multi-modal Machine Translation with Pre-trained Language Model*,
Findings of ACL 2021.

1. ``captions``: an encoder, initialised from BERT, reads ``[CLS] x [SEP] t [SEP] v``, words, object
   tags and regions (eq. 1), and learns to find masked words and to tell whether the picture is the
   sentence's own (section 3.2).
2. ``pairs``: the same, continued on the English side of the translation pairs (Algorithm 1).
3. ``translate_frozen``: a fully connected layer and a Transformer decoder learn to translate, the
   encoder frozen. Every decoder layer attends to words, tags and regions; the textual context
   ``h_x`` and the visual ``h_v`` of a target token (eq. 2) are to point the same way:
   ``L = L_XENT + sum_l lambda_l sum_j (1 - cos(h_x, h_v))`` (eqs. 3, 4), with a learned lambda for
   each token, in the last layer.
4. ``translate_all``: from the best model of stage 3, all parameters, at a smaller learning rate.

(``detector``, in the embedded world only: the CNN that looks at the regions.)

The other rows of the paper's Tables 2 to 6 are values of ``system`` and ``modality``.

Departures from the paper: words are found in matched pairs only; no modality loss without a region;
lambda has a given mean and a floor (``modality.gate``), since the loss alone drives the paper's to
0; "best on validation" is by its loss; pictures and sentences of evaluation sets are kept out.
MiniLM, which ``small`` starts from, saw Flickr30k captions when it was made.

    phosphene train vlp_mmt --config toy --run runs/vlp           (two minutes)
    phosphene train vlp_mmt --config small --run runs/m30k-vlp    (an hour)
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn
from torch.nn import functional as F

from phosphene.core.runtime import seed_update
from phosphene.core.types import Batch, MaskedPairs
from phosphene.data.dataset import TrainingBatches
from phosphene.data.pretraining import PicturedTexts, PretrainingBatches
from phosphene.evaluate.pretraining import held_out_means
from phosphene.evaluate.translator import validation_loss
from phosphene.models.pretraining import PretrainingHeads, masked_rows
from phosphene.models.translator import gold
from phosphene.models.vlencoder import VLEncoder
from phosphene.models.vltranslator import VLTranslator, VLTranslatorTrace
from phosphene.nn.bert import initialise_bert
from phosphene.nn.visual import freeze
from phosphene.objectives.likelihood import label_smoothed
from phosphene.objectives.modality import modality
from phosphene.objectives.pretraining import masked_words, pairing
from phosphene.recipes.vlp_mmt_data import Data, load_data, region_teacher
from phosphene.recipes.vlp_mmt_networks import (
    build_translator,
    first_encoder,
    frozen_part,
    other_parts,
    read_published,
    translator_config,
)
from phosphene.recipes.vlp_mmt_results import Trained, evaluate, export
from phosphene.recipes.vlp_mmt_settings import Settings, StageConfig
from phosphene.train.stage import Finished, Fitter, Stage
from phosphene.weighting.direct import Term, example_mean, token_mean
from phosphene.weighting.gate import Gate, TokenGate

Terms = dict[str, Term]

__all__ = ["Settings", "evaluate", "export", "train"]


def train(trainer: Fitter, settings: Settings) -> Trained:
    """All stages of ``settings.system``."""
    published = read_published(settings)
    teacher = region_teacher(trainer, settings) if settings.sees else None
    data = load_data(trainer, settings, published.wordpiece, teacher)
    seed_update(settings.seed)
    encoder = first_encoder(settings, data, published)
    heads = pretrain(trainer, settings, data, encoder) if settings.pretrains else None
    seed_update(settings.seed)
    config = translator_config(settings, data, encoder.config, published)
    model = build_translator(config, encoder, published)
    gate = TokenGate(config.decoder.hidden)
    finished = translate(trainer, settings, data, model, gate)
    return Trained(model, config, data, finished, gate, encoder, heads)


def pretrain(
    trainer: Fitter, settings: Settings, data: Data, encoder: VLEncoder
) -> PretrainingHeads:
    """Stages 1 and 2, once for all runs that share them."""
    plan, heads = settings.pretraining, PretrainingHeads(encoder.config)
    initialise_bert(heads, settings.encoder.initial_std)
    assert data.captions is not None and data.pairs is not None and data.validation is not None

    def batches(texts: PicturedTexts) -> PretrainingBatches:
        return PretrainingBatches(
            texts, data.wordpiece, plan.masking, plan.max_tokens, settings.seed
        )

    def loss(pairs: MaskedPairs) -> Terms:
        trace = encoder(pairs.batch)
        states, words = masked_rows(trace, pairs)
        scores = heads.words(states, encoder.embedding.words.weight)
        return {
            "masked_words": example_mean(masked_words(scores, words)),
            "pairing": example_mean(pairing(heads.pairs(trace.cls), pairs.matched)),
        }

    held_out = batches(data.validation)
    shared = trainer.shared("pretrained", settings.until_translation)
    for name, texts, stage in (
        ("captions", data.captions, plan.captions),
        ("pairs", data.pairs, plan.pairs),
    ):
        shared.fit(
            Stage(
                name=name,
                modules={"encoder": encoder, "heads": heads},
                batches=batches(texts),
                loss=loss,
                evaluate=lambda: held_out_means(loss, held_out.once(), trainer.device),
                budget=stage.budget,
                optim=stage.optim,
            )
        )
    return heads


def translate(
    trainer: Fitter, settings: Settings, data: Data, model: VLTranslator, gate: TokenGate
) -> Finished:
    """Stages 3 and 4; one stage for a system that has no frozen encoder, or never frees it."""
    weigh = settings.modality.weigh(gate)

    def loss(batch: Batch) -> Terms:
        trace = model.trace(batch, settings.observed_layers)
        words, mask = gold(batch.target)
        nll = label_smoothed(trace.logits, words, settings.smoothing)
        terms = {"translation": token_mean(nll, mask)}
        return terms | closeness(settings, model, weigh, batch, trace) if trace.contexts else terms

    def stage(name: str, modules: dict[str, nn.Module], plan: StageConfig) -> Stage:
        return Stage(
            name=name,
            modules=modules | ({"gate": gate} if settings.learns_gate else {}),
            batches=TrainingBatches(data.corpus.train, settings.max_tokens, settings.seed),
            data=data.corpus.train.digest(),
            loss=loss,
            evaluate=lambda: {
                "loss": validation_loss(model, data.corpus.validation, settings.smoothing)
            },
            budget=plan.budget,
            optim=plan.optim,
        )

    encoder = frozen_part(model)
    if encoder is None or settings.system == "vlp_end_to_end":
        return trainer.fit(stage("translate", {"translator": model}, settings.first_stage))
    freeze(encoder).to(trainer.device)
    first = stage("translate_frozen", other_parts(model), settings.first_stage)
    finished = trainer.shared("frozen", settings.until_freed).fit(
        replace(first, frozen={"encoder": encoder})
    )
    if not settings.is_freed:
        return finished
    encoder.requires_grad_(True)
    return trainer.fit(stage("translate_all", {"translator": model}, settings.stage_two))


def closeness(
    settings: Settings, model: VLTranslator, weigh: Gate, batch: Batch, trace: VLTranslatorTrace
) -> Terms:
    """The modality loss of the observed layers, and for the log what it is made of."""
    words, mask = gold(batch.target)
    embedded = F.embedding(words, model.embedding.table)
    seen = mask & trace.seen[:, None]
    distances = [modality(each.text, each.visual, trace.seen) for each in trace.contexts]
    weights = [weigh(embedded, each.text, each.visual, seen) for each in trace.contexts]
    losses = torch.stack([d * w for d, w in zip(distances, weights, strict=True)]).sum(0)
    return {
        "modality": token_mean(losses, mask, settings.modality.weight),
        "distance": token_mean(distances[-1].detach(), seen, 0.0),
        "gate": token_mean(weights[-1].detach(), seen, 0.0),
    }
