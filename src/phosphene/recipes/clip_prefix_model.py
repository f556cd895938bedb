"""The translator of the recipe ``clip_prefix``: a small one, or mBART-50; what a stage keeps."""

from __future__ import annotations

from torch import nn

from phosphene.data.text import SubWords
from phosphene.models.prefix_folder import MBartNetwork, Network, PrefixModel
from phosphene.models.prefix_translator import build
from phosphene.models.pretrained_mbart import MBartTokenizer, load_mbart
from phosphene.nn.prefix import MappingNetwork
from phosphene.nn.transformer import DecoderLayer
from phosphene.recipes.clip_prefix_settings import Settings, mapping_config, small_network


def vocabulary(settings: Settings) -> SubWords | None:
    """That of the published translator; ``None``: one is learned."""
    name = settings.network.published
    return None if name is None else MBartTokenizer.load(name)


def translator(settings: Settings, vocab: int, feature: int) -> tuple[PrefixModel, Network]:
    """A small translator with fresh weights, or mBART-50 with a fresh mapping network."""
    name = settings.network.published
    if name is None:
        network = small_network(settings, vocab, feature)
        return build(network), network
    mapping = mapping_config(settings, feature)
    model, sizes = load_mbart(name)
    if mapping is not None:
        model.mapping = MappingNetwork(mapping, sizes.hidden)
    return model, MBartNetwork(published=name, sizes=sizes, mapping=mapping)


def left_alone(settings: Settings, model: PrefixModel) -> list[nn.Module]:
    """What stage 1 does not train."""
    if settings.kept == "nothing":
        return []
    parts: list[nn.Module] = [model.encoder, model.embedding]
    if settings.kept == "reading":
        for layer in model.decoder.layers:
            assert isinstance(layer, DecoderLayer)
            parts += [layer.cross_attention_norm, layer.cross_attention]
    return parts


__all__ = ["left_alone", "translator", "vocabulary"]
