"""Beam search over a translator, with cached keys and values; greedy is a beam of one."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor

from phosphene.core.config import Frozen
from phosphene.core.types import Batch, Tokens
from phosphene.data.text import BOS_ID, EOS_ID, PAD_ID
from phosphene.models.translator import Translator, gold
from phosphene.nn.attention import KeysValues
from phosphene.nn.transformer import Memory


class SearchConfig(Frozen):
    """How translations are searched for."""

    beam: int = Field(5, ge=1)
    length_penalty: float = 1.0
    """A hypothesis scores its log-probability over ``length ** length_penalty``, EOS counted."""
    max_length: int = Field(200, ge=1)
    """Longest translation, in tokens, EOS counted."""
    n_best: int = Field(1, ge=1)


@dataclass(frozen=True)
class Hypothesis:
    """One translation."""

    ids: tuple[int, ...]
    score: float
    log_probability: float


@torch.inference_mode()
def translate(model: Translator, batch: Batch, config: SearchConfig, prefix: Tokens | None = None):
    memory = model.encode(batch)
    S, B = len(batch), config.beam
    dev = memory.states.device
    V = model.embedding.table.shape[0]
    limits = (batch.source.mask.sum(1) * 2 + 20).clamp(max=config.max_length).tolist()
    mem = Memory(*(None if t is None else t.repeat_interleave(B, 0) for t in (memory.states, memory.mask, memory.regions, memory.regions_mask)))
    ids = torch.full((S * B, 1), BOS_ID, device=dev)
    scores = torch.full((S, B), -torch.inf, device=dev); scores[:, 0] = 0
    done = [[] for _ in range(S)]
    alive = list(range(S))
    step = 0
    while alive:
        step += 1
        states = model.decoder(model.embedding(ids), mem)[:, -1]
        lp = model.embedding.logits(states).log_softmax(-1)
        lp[:, [PAD_ID, BOS_ID]] = -torch.inf
        last = torch.tensor([step >= limits[s] for s in alive], device=dev)
        lp = lp.view(len(alive), B, V)
        if last.any():
            only = torch.full_like(lp[0], -torch.inf); only[:, EOS_ID] = 0
            lp = torch.where(last[:, None, None], lp + only, lp)
        total = (scores[:, :, None] + lp).flatten(1)
        top, where = total.topk(2 * B, dim=1)
        beam, word = where // V, where % V
        keep_rows, keep_words, keep_scores, still = [], [], [], []
        for i, s in enumerate(alive):
            rows, words, sc = [], [], []
            for r in range(2 * B):
                v, b, w = top[i, r].item(), beam[i, r].item(), word[i, r].item()
                if v == -float('inf'): continue
                if w == EOS_ID:
                    if r < B:
                        seq = tuple(ids[i * B + b, 1:].tolist())
                        done[s].append(Hypothesis(seq, v / (len(seq) + 1) ** config.length_penalty, v))
                elif len(rows) < B:
                    rows.append(i * B + b); words.append(w); sc.append(v)
            if len(done[s]) < B and rows and not bool(last[i]):
                while len(rows) < B:
                    rows.append(rows[-1]); words.append(words[-1]); sc.append(-float('inf'))
                keep_rows += rows; keep_words += words; keep_scores.append(sc); still.append(i)
        if not still: break
        alive = [alive[i] for i in still]
        r = torch.tensor(keep_rows, device=dev)
        ids = torch.cat([ids[r], torch.tensor(keep_words, device=dev)[:, None]], 1)
        mem = Memory(*(None if t is None else t[r] for t in (mem.states, mem.mask, mem.regions, mem.regions_mask)))
        scores = torch.tensor(keep_scores, device=dev)
    return [sorted(h, key=lambda x: -x.score)[: config.n_best] for h in done]


@torch.inference_mode()
def log_likelihoods(model: Translator, batch: Batch) -> Float[Tensor, " batch"]:
    words, mask = gold(batch.target)
    lp = model(batch).logits.log_softmax(-1).gather(2, words[:, :, None]).squeeze(2)
    return (lp * mask).sum(1)
