"""Which probes fit a system, and why the others do not."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from phosphene.core.config import read_settings
from phosphene.core.errors import InputError
from phosphene.core.runlog import RunLog
from phosphene.recipes import RECIPES, config_path, load_recipe
from phosphene.recipes.probing import PROBES, SUBJECTS, Opened


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
    assert SUBJECTS.keys() == PROBES.keys()
