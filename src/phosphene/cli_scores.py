"""The commands that measure what is trained: scores, comparisons, probes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from phosphene.cli_options import AsJson, DataRoot, Run, print_json, use_data


def evaluate(
    run: Run,
    split: Annotated[
        str | None, typer.Option(help="A test split; all of them if not given.")
    ] = None,
    baseline: Annotated[Path | None, typer.Option(help="Another run, to compare with.")] = None,
    meteor: Annotated[bool, typer.Option(help="Also METEOR 1.5 (Java, extra meteor).")] = False,
    as_json: AsJson = False,
) -> None:
    """Score a finished run on its test splits, beside a baseline run if one is given.

    Example: phosphene evaluate runs/image-free --split ambiguous --baseline runs/text-only
    """
    from phosphene.recipes.launch import evaluate_run
    from phosphene.report.tables import to_text

    record, tables = evaluate_run(run, split, baseline, with_meteor=meteor)
    if as_json:
        print_json(record)
    else:
        typer.echo("\n".join(to_text(table) for table in tables))


def probe(
    run: Run,
    names: Annotated[list[str], typer.Argument(help="Probes, such as incongruent.")],
    seeds: Annotated[int, typer.Option(min=1, help="Draws of whatever is drawn.")] = 3,
    split: Annotated[str | None, typer.Option(help="A test split; all if not given.")] = None,
    lists: Annotated[
        Path | None, typer.Option(help="lexical: ambiguous words in the MLT format.")
    ] = None,
    images: Annotated[
        Path | None, typer.Option(help="contrastive: folder of the CoMMuTE images.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Where NAME.json goes; RUN/probes if not given.")
    ] = None,
    data_root: DataRoot = None,
    quiet: Annotated[bool, typer.Option(help="No progress.")] = False,
    as_json: AsJson = False,
) -> None:
    """Ask a finished run what it has learned; trains nothing. See docs/probes.md for the names.

    Example: phosphene probe runs/image-given incongruent --seeds 5
    """
    from phosphene.recipes.probe_report import ask_run
    from phosphene.report.tables import to_text

    use_data(data_root)
    found = ask_run(
        run, names, seeds=seeds, split=split, lists=lists, images=images, out=out, quiet=quiet
    )
    if as_json:
        print_json({probed.probe: probed.record for probed in found})
    else:
        typer.echo("\n".join(to_text(table) for probed in found for table in probed.tables))


def score(
    hypothesis: Annotated[Path, typer.Argument(help="Translations, one a line.")],
    reference: Annotated[Path, typer.Argument(help="References, one a line.")],
    lang: Annotated[str, typer.Option(help="Language of both: cs, de, en or fr.")] = "de",
    baseline: Annotated[Path | None, typer.Option(help="Another system's translations.")] = None,
    raw_reference: Annotated[
        Path | None, typer.Option(help="References as natural, cased text.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the resampling tests.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Score any system's translations in every convention, each with its signature.

    Example: phosphene score out.de test_2016_flickr.lc.norm.tok.de --lang de --baseline base.de
    """
    from phosphene.evaluate.translation import score_files
    from phosphene.report.tables import comparison_table, score_table, to_text

    report = score_files(
        hypothesis,
        reference,
        language=lang,
        baseline=baseline,
        raw_reference=raw_reference,
        seed=seed,
    )
    if as_json:
        print_json(report.as_record())
    else:
        name = hypothesis.name
        typer.echo(to_text(score_table("Scores", {name: report.scores}, report.unavailable)))
        if baseline is not None:
            table = comparison_table(
                "Significance", report.comparisons, system=name, baseline=baseline.name
            )
            typer.echo(to_text(table))


__all__ = ["evaluate", "probe", "score"]
