"""Which probes fit a system, and why the others do not."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from phosphene.core.config import read_settings
from phosphene.core.errors import InputError
from phosphene.core.runlog import RunLog
from phosphene.recipes import RECIPES, config_path, load_recipe
from phosphene.recipes.probe import Asked
from phosphene.recipes.probe_kinds import PROBES, check_options, share_of
from phosphene.recipes.probing import Opened


def opened(recipe: str, *changes: str) -> Opened:
    """A run of the recipe's toy configuration whose models are not loaded."""
    settings = read_settings(load_recipe(recipe).Settings, config_path(recipe, "toy"), changes)
    fitting = import_module(f"phosphene.recipes.{recipe}_probes").fitting(settings)
    return Opened(Path("run"), recipe, settings, fitting, RunLog(None, quiet=True))


@pytest.mark.parametrize(
    ("recipe", "changes", "probe", "why"),
    [
        ("inversion_mmt", "system=text_only", "attention", "text_only attends to no regions"),
        ("inversion_mmt", "system=gated_fusion", "attention", "gated_fusion attends to no regions"),
        ("inversion_mmt", "system=image_given", "retrieval", "image_given distils no feature"),
        ("inversion_mmt", "system=text_only", "clusters", "text_only distils no feature"),
        (
            "inversion_mmt",
            "data.languages=['de', 'en']",
            "degrade",
            "it hides English words, and sources are in 'de'",
        ),
        ("inversion_mmt", "system=text_only", "lambda", "it asks the weight of a modality loss"),
        ("vlp_mmt", "system=text_only", "attention", "text_only attends to no regions"),
        (
            "vlp_mmt",
            "system=lxmert_frozen",
            "attention",
            "lxmert_frozen has no encoder that words and regions go through together",
        ),
        ("vlp_mmt", "system=bert_nmt", "lambda", "bert_nmt has no modality loss"),
        ("vlp_mmt", "modality.gate=none", "lambda", "vlp_two_stage has no modality loss"),
        ("vlp_mmt", "modality.gate=fixed", "lambda", "the weight of its modality loss is fixed"),
        ("vlp_mmt", "system=text_only", "views", "it asks a classifier of pictures with texts"),
        ("clip_prefix", "system=text_only", "incongruent", "text_only has no prefix"),
        ("clip_prefix", "system=text_only", "alignment", "text_only has no prefix"),
        ("clip_prefix", "system=text_only", "attention", "text_only has no prefix"),
        ("clip_prefix", "seed=1", "tokens", "it asks a student of questions and its teacher"),
        (
            "crosslingual_vqa",
            "data.pictures=false",
            "attention",
            "it answers without pictures (data.pictures)",
        ),
        (
            "crosslingual_vqa",
            "system=translate_test",
            "incongruent",
            "translate_test has no model of its own: ask a run of its teacher",
        ),
        ("crosslingual_vqa", "system=baseline", "tokens", "baseline imitates no teacher"),
        ("crosslingual_vqa", "system=kd", "lexical", "it asks a translator"),
        ("modality_kd", "system=teacher", "consistency", "a teacher alone has no student"),
        ("modality_kd", "system=teacher", "divergence", "a teacher alone has no student"),
        ("modality_kd", "system=small", "weights", "small weighs no views"),
        ("modality_kd", "system=small", "retrieval", "it asks features that stand for pictures"),
    ],
)
def test_a_probe_that_does_not_fit_says_why(
    recipe: str, changes: str, probe: str, why: str
) -> None:
    run = opened(recipe, changes)
    with pytest.raises(InputError) as refused:
        run.probe(probe)
    said = str(refused.value)
    assert f"probe '{probe}' does not fit this run of {recipe}: {why}" in said
    assert said.endswith(f"these do: {', '.join(sorted(run.probes))}")
    assert probe not in run.probes


@pytest.mark.parametrize("recipe", RECIPES)
def test_recipes_name_no_probe_that_does_not_exist(recipe: str) -> None:
    assert opened(recipe).fitting.keys() <= PROBES.keys()


LISTS, IMAGES = Path("words.txt"), Path("pictures")
SPLITLESS = ("contrastive", "alignment", "tokens", "weights")


LOG = RunLog(None, quiet=True)


def asked(**options: Any) -> Asked:
    """With one log: what is asked can be compared."""
    return Asked(LOG, **options)


@pytest.mark.parametrize(
    ("recipe", "probe", "options", "said"),
    [
        ("modality_kd", "weights", {"split": "test"}, "--split: probe 'weights' does not take it"),
        ("clip_prefix", "alignment", {"split": "test"}, "--split: probe 'alignment' does not"),
        ("crosslingual_vqa", "tokens", {"split": "test"}, "--split: probe 'tokens' does not"),
        ("modality_kd", "views", {"lists": LISTS}, "--lists: probe 'views' does not take it"),
        ("inversion_mmt", "lexical", {"images": IMAGES}, "--images: probe 'lexical' does not"),
        ("vlp_mmt", "contrastive", {"split": "test"}, "--split: probe 'contrastive' does not"),
        ("vlp_mmt", "attention", {"seeds": 5}, "--seeds: probe 'attention' does not take it"),
    ],
)
def test_an_option_that_a_probe_does_not_take_is_refused_with_those_that_do(
    recipe: str, probe: str, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError) as refused:  # before anything is loaded
        opened(recipe).ask(probe, asked(**options))
    (option,) = options
    heeding = {
        "seeds": "incongruent, retrieval, degrade, clusters, consistency",
        "split": ", ".join(name for name in PROBES if name not in SPLITLESS),
        "lists": "lexical",
        "images": "contrastive",
    }
    assert str(refused.value).startswith(said)
    assert str(refused.value).endswith(f"; these do: {heeding[option]}")


def test_of_several_probes_each_is_given_the_files_that_it_reads() -> None:
    everything = asked(seeds=5, lists=LISTS, images=IMAGES)
    names = ("lexical", "contrastive", "incongruent")
    shares = {name: share_of(name, names, everything) for name in names}
    assert shares == {
        "lexical": asked(lists=LISTS),
        "contrastive": asked(images=IMAGES),
        "incongruent": asked(seeds=5),
    }
    for name, share in shares.items():
        check_options(name, share)
    # What none of them reads is refused, and so is a split for one that cannot be asked about it.
    alone = share_of("incongruent", ("incongruent", "lexical"), everything)
    with pytest.raises(InputError, match="--images: probe 'incongruent' does not take it"):
        check_options("incongruent", alone)
    narrowed = share_of("alignment", ("incongruent", "alignment"), asked(split="ordinary"))
    with pytest.raises(InputError, match="--split: probe 'alignment' does not take it"):
        check_options("alignment", narrowed)
