"""LXMERT out of files that transformers wrote."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny_bert import PIECES

from phosphene.core.errors import InputError
from phosphene.core.types import Batch, Regions, Tokens
from phosphene.models.pretrained_lxmert import build_lxmert, load_lxmert, read_lxmert

transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.pretrained


def published(folder: Path, **sizes: int) -> torch.nn.Module:
    """A tiny LXMERT with its pre-training heads, as it is published."""
    config = transformers.LxmertConfig(
        vocab_size=16,
        hidden_size=12,
        num_attention_heads=3,
        intermediate_size=20,
        max_position_embeddings=24,
        l_layers=2,
        r_layers=1,
        x_layers=1,
        visual_feat_dim=6,
        num_qa_labels=2,
        num_object_labels=3,
        num_attr_labels=2,
        **sizes,
    )
    torch.manual_seed(0)
    model = transformers.LxmertForPreTraining(config).eval()
    model.save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(PIECES) + "\n")
    return model.lxmert


def batch() -> Batch:
    torch.manual_seed(1)
    mask = torch.tensor([[True, True], [True, False]])
    return Batch(
        ("a", "b"), Tokens.pad([[6, 7, 8], [9]]), regions=Regions(torch.rand(2, 2, 10), mask)
    )


def test_a_published_lxmert_computes_what_transformers_computes(tmp_path: Path) -> None:
    theirs = published(tmp_path)
    found = read_lxmert(tmp_path)
    assert (found.config.l_layers, found.config.feature, found.config.cls_id) == (2, 10, 2)
    source = build_lxmert(found.config).eval()
    load_lxmert(source, tmp_path)
    states = source(batch())
    given = batch().regions
    assert given is not None
    for row, ids in enumerate([[2, 6, 7, 8, 3], [2, 9, 3]]):
        seen = given.features[row, given.mask[row]][None]
        expected = theirs(
            input_ids=torch.tensor([ids]), visual_feats=seen[..., :6], visual_pos=seen[..., 6:]
        )
        words = states.mask[row] & ~states.visual[row]
        ours = states.states[row, words], states.states[row, states.mask[row] & states.visual[row]]
        for one, other in zip(
            ours, (expected.language_output, expected.vision_output), strict=True
        ):
            torch.testing.assert_close(one, other[0], atol=1e-5, rtol=1e-5)


def test_what_is_no_lxmert_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"config\.json: expected the config\.json of an LXMERT"):
        read_lxmert(tmp_path)
    published(tmp_path)
    found = read_lxmert(tmp_path)
    wider = build_lxmert(found.config.model_copy(update={"intermediate_size": 24}))
    with pytest.raises(InputError, match="weights of another network"):
        load_lxmert(wider, tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(InputError, match="expected model_type 'lxmert'"):
        read_lxmert(tmp_path)


def test_regions_of_another_width_are_refused(tmp_path: Path) -> None:
    published(tmp_path)
    source = build_lxmert(read_lxmert(tmp_path).config).eval()
    narrow = Regions(torch.rand(2, 2, 9), torch.ones(2, 2, dtype=torch.bool))
    with pytest.raises(InputError, match="regions are 9 wide, LXMERT expects 10"):
        source(Batch(("a", "b"), Tokens.pad([[6], [7]]), regions=narrow))
