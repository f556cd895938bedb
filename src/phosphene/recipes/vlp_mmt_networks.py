"""The networks of the recipe ``vlp_mmt``: a source encoder for each system, and who is frozen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import nn

from phosphene.core.errors import InputError
from phosphene.data.wordpiece import WordPiece
from phosphene.models.backbone import SCRATCH
from phosphene.models.pretrained_bert import Bert, encoder_from_bert, load_bert
from phosphene.models.pretrained_lxmert import (
    Lxmert,
    LxmertConfig,
    LxmertSource,
    load_lxmert,
    read_lxmert,
)
from phosphene.models.sources import BertFusedSource, VLSource
from phosphene.models.vlencoder import VLEncoder, VLEncoderConfig, standardise_regions
from phosphene.models.vltranslator import (
    BertFusedSourceConfig,
    LxmertSourceConfig,
    SourceConfig,
    TransformerSourceConfig,
    VLSourceConfig,
    VLTranslator,
    VLTranslatorConfig,
    build,
)
from phosphene.nn.bert import attend_to_alike, initialise_bert
from phosphene.recipes.vlp_mmt_data import Data
from phosphene.recipes.vlp_mmt_settings import Settings


@dataclass(frozen=True)
class Published:
    """The published weights that a system starts from, if any."""

    bert: Bert | None = None
    lxmert: Lxmert | None = None

    @property
    def wordpiece(self) -> WordPiece | None:
        """Their word pieces."""
        if self.bert is not None:
            return self.bert.wordpiece
        return None if self.lxmert is None else self.lxmert.wordpiece


def read_published(settings: Settings) -> Published:
    """What ``encoder.weights`` names; a text-only Transformer starts from nothing.

    Raises:
        InputError: it is not there, or it is another kind of network.
    """
    weights = settings.encoder.weights
    if weights == SCRATCH or settings.system == "text_only":
        return Published()
    if settings.system == "lxmert_frozen":
        return Published(lxmert=read_lxmert(Path(weights)))
    return Published(bert=load_bert(weights))


def first_encoder(settings: Settings, data: Data, published: Published) -> VLEncoder:
    """A BERT, fresh or published, with visual parts where the system looks.

    Fresh weights start ready to compare rows; a fresh projection meets regions standardised.
    """
    plan, feature = settings.encoder, 0 if data.table is None else data.table.width
    if published.bert is not None:
        encoder = encoder_from_bert(
            published.bert,
            feature=feature,
            dropout=plan.dropout,
            attention_dropout=plan.attention_dropout,
        )
    else:
        encoder = VLEncoder(
            VLEncoderConfig(
                vocab=len(data.wordpiece),
                cls_id=data.wordpiece.cls_id,
                sep_id=data.wordpiece.sep_id,
                layers=plan.layers,
                hidden=plan.hidden,
                inner=plan.inner,
                heads=plan.heads,
                dropout=plan.dropout,
                attention_dropout=plan.attention_dropout,
                feature=feature,
            )
        )
        initialise_bert(encoder, plan.initial_std)
        attend_to_alike(encoder.embedding, encoder.encoder)
    if data.table is not None and not (published.bert and published.bert.has_regions):
        standardise_regions(encoder, data.table)
    return encoder


def translator_config(
    settings: Settings, data: Data, encoder: VLEncoderConfig, published: Published
) -> VLTranslatorConfig:
    """The translator of ``settings.system``; ``encoder`` is its BERT where it has one."""
    source: SourceConfig
    match settings.system:
        case "text_only":
            source = TransformerSourceConfig(
                vocab=len(data.wordpiece), layers=settings.decoder.layers
            )
        case "bert_nmt":
            source = BertFusedSourceConfig(layers=settings.decoder.layers, bert=encoder)
        case "lxmert_frozen":
            source = LxmertSourceConfig(lxmert=_lxmert_config(settings, data, published))
        case _:
            source = VLSourceConfig(encoder=encoder)
    return VLTranslatorConfig(
        vocab=len(data.corpus.tokenizer),
        source=source,
        decoder=settings.decoder,
        identity_bridge=settings.identity_bridge,
        sees=settings.sees,
    )


def build_translator(
    config: VLTranslatorConfig, encoder: VLEncoder, published: Published
) -> VLTranslator:
    """A translator in evaluation mode, its encoder with the weights it starts from."""
    try:
        model = build(config)
    except ValueError as error:
        raise InputError(f"identity_bridge: {error}") from error
    match model.source:
        case VLSource():
            model.source.encoder.load_state_dict(encoder.state_dict())
        case BertFusedSource():
            model.source.bert.load_state_dict(encoder.state_dict())
        case LxmertSource() if published.lxmert is not None:
            load_lxmert(model.source, published.lxmert.origin)
    return model.eval()


def frozen_part(model: VLTranslator) -> nn.Module | None:
    """What a stage with a frozen encoder does not train; a fresh Transformer has nothing."""
    match model.source:
        case VLSource() | LxmertSource():
            return model.source
        case BertFusedSource():
            return model.source.bert
    return None


def other_parts(model: VLTranslator) -> dict[str, nn.Module]:
    """All modules outside :func:`frozen_part`."""
    parts: dict[str, nn.Module] = {
        "bridge": model.bridge,
        "embedding": model.embedding,
        "decoder": model.decoder,
    }
    if isinstance(model.source, BertFusedSource):
        parts |= {
            "source_embedding": model.source.embedding,
            "source_layers": model.source.layers,
            "source_norm": model.source.norm,
        }
    return parts


def _lxmert_config(settings: Settings, data: Data, published: Published) -> LxmertConfig:
    assert data.table is not None
    if published.lxmert is not None:
        config = published.lxmert.config
        if config.feature != data.table.width:
            raise InputError(
                f"{published.lxmert.origin}: takes regions of width {config.feature}, the data's "
                f"are {data.table.width} wide"
            )
        return config
    plan = settings.encoder
    return LxmertConfig(
        vocab_size=len(data.wordpiece),
        hidden_size=plan.hidden,
        num_attention_heads=plan.heads,
        intermediate_size=plan.inner,
        l_layers=plan.layers,
        r_layers=plan.layers,
        x_layers=plan.layers,
        visual_feat_dim=data.table.width - settings.regions.geometry,
        visual_pos_dim=settings.regions.geometry,
        cls_id=data.wordpiece.cls_id,
        sep_id=data.wordpiece.sep_id,
    )


__all__ = [
    "Published",
    "build_translator",
    "first_encoder",
    "frozen_part",
    "other_parts",
    "read_published",
    "translator_config",
]
