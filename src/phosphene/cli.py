"""The command line. Heavy imports stay inside the commands, so that ``--help`` answers at once."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from phosphene.core.errors import InputError, StorageError

app = typer.Typer(
    help="Transfer what a vision-language teacher knows to a model that will have less.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]
Config = Annotated[str, typer.Option(help="toy, small, paper, or a TOML file.")]
Changes = Annotated[list[str], typer.Option("--set", help="Change a setting: key.part=value.")]
DataRoot = Annotated[
    Path | None, typer.Option(help="Folder of real data (or the variable PHOSPHENE_DATA).")
]
Run = Annotated[Path, typer.Argument(help="A run folder.", show_default=False)]


@app.command()
def recipes(as_json: AsJson = False) -> None:
    """List the recipes.

    Example: phosphene recipes
    """
    from phosphene.recipes import RECIPES

    if as_json:
        _print_json(RECIPES)
        return
    for name, line in RECIPES.items():
        typer.echo(f"{name}  {line}")


@app.command()
def check(
    recipe: Annotated[str | None, typer.Argument(help="A recipe.", show_default=False)] = None,
    config: Config = "toy",
    changes: Changes = [],  # noqa: B006
    data_root: DataRoot = None,
    leakage: Annotated[
        bool, typer.Option("--leakage", help="Look for evaluation data in training data instead.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Plan without training: data, stages, terms, parameters, frozen teachers, cost.

    With --leakage: pictures and near-duplicate sentences that training and evaluation share, in a
    recipe's data, or without a recipe in the published splits of the data root. That some are
    found is no error: the exit code is 0, and --json has them all.

    Example: phosphene check inversion_mmt --config small
    """
    _use_data(data_root)
    if leakage:
        from phosphene.recipes import leakage as leaks

        found = leaks.leakage(recipe, config, changes)
        if as_json:
            _print_json(leaks.record(found))
        else:
            typer.echo(leaks.report(found))
        return
    if recipe is None:
        raise InputError("expected a recipe to plan, or --leakage for the data root")
    from phosphene.recipes.plan import plan

    report = plan(recipe, config, changes)
    if as_json:
        _print_json(report.record())
    else:
        typer.echo(str(report))


@app.command()
def train(
    recipe: str,
    config: Config = "toy",
    changes: Changes = [],  # noqa: B006
    seed: Annotated[int | None, typer.Option(help="Overrides the configuration's seed.")] = None,
    run: Annotated[
        Path | None, typer.Option(help="Run folder; one that exists is resumed.")
    ] = None,
    data_root: DataRoot = None,
    quiet: Annotated[bool, typer.Option(help="No progress.")] = False,
    as_json: AsJson = False,
) -> None:
    """Train a recipe, or go on where its run folder stands; then score and report it.

    Example: phosphene train inversion_mmt --config toy --run runs/image-free
    """
    from phosphene.evaluate.results import results_record
    from phosphene.recipes.launch import render, train_run

    _use_data(data_root)
    if seed is not None:
        changes = [*changes, f"seed={seed}"]
    folder = run if run is not None else Path("runs") / f"{recipe}-{Path(config).stem}"
    results = train_run(recipe, config, changes, folder, quiet=quiet)
    if as_json:
        _print_json(results_record(results))
    else:
        typer.echo(render(results))


@app.command()
def translate(
    run: Run,
    file: Annotated[str, typer.Argument(help="A text file, or - for standard input.")] = "-",
    images: Annotated[
        Path | None, typer.Option(help="Folder of pictures; lines are sentence, tab, file name.")
    ] = None,
    beam: Annotated[int, typer.Option(min=1, help="Beam width; 1 is greedy.")] = 5,
    as_json: AsJson = False,
) -> None:
    """Translate: a line in, a line out, order kept. Image-free models need no picture.

    Example: echo 'a dog runs .' | phosphene translate runs/image-free
    """
    from phosphene.serve.stream import translate_stream

    for line in translate_stream(run, file, beam=beam, images=images, remark=_remark):
        if as_json:
            typer.echo(json.dumps(line.record(), ensure_ascii=False))
        else:
            typer.echo(line.translation)


@app.command()
def cache(
    recipe: str,
    config: Config = "toy",
    changes: Changes = [],  # noqa: B006
    run: Annotated[
        Path | None, typer.Option(help="Run folder beside whose kin the store will lie.")
    ] = None,
    data_root: DataRoot = None,
    quiet: Annotated[bool, typer.Option(help="No progress.")] = False,
    as_json: AsJson = False,
) -> None:
    """Train a recipe's teacher and store its states, or go on with that; train no student.

    Example: phosphene cache crosslingual_vqa --config toy --run runs/kd
    """
    from phosphene.recipes.launch import cache_run

    _use_data(data_root)
    folder = run if run is not None else Path("runs") / f"{recipe}-{Path(config).stem}"
    record = cache_run(recipe, config, changes, folder, quiet=quiet)
    if as_json:
        _print_json(record)
    else:
        typer.echo(
            f"{record['questions']:,} questions, {record['bytes_per_question']:,.0f} bytes each, "
            f"{record['seconds']:,.1f} s: {record['folder']}"
        )


@app.command()
def answer(
    run: Run,
    question: Annotated[str | None, typer.Option(help="A question.")] = None,
    image: Annotated[Path | None, typer.Option(help="The picture that it is about.")] = None,
    jsonl: Annotated[
        Path | None, typer.Option(help="A file of questions instead, one JSON object a line.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Answer questions about pictures: one, or a file of them in order.

    Example: phosphene answer runs/kd --image photo.png --question 'ここに何が見えますか'
    """
    from phosphene.serve.answers import one_request, open_answers, read_requests

    if (question is None) == (jsonl is None) or (jsonl is not None and image is not None):
        raise InputError("expected --question, with --image or without, or --jsonl alone")
    if question is not None:
        requests = [one_request(question, image)]
    else:
        assert jsonl is not None
        requests = read_requests(jsonl)
    for found in open_answers(run).answer(requests):
        if as_json:
            typer.echo(json.dumps(found.record(), ensure_ascii=False))
        else:
            typer.echo(found.answer)


@app.command()
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
        _print_json(record)
    else:
        typer.echo("\n".join(to_text(table) for table in tables))


@app.command()
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

    _use_data(data_root)
    found = ask_run(
        run, names, seeds=seeds, split=split, lists=lists, images=images, out=out, quiet=quiet
    )
    if as_json:
        _print_json({probed.probe: probed.record for probed in found})
    else:
        typer.echo("\n".join(to_text(table) for probed in found for table in probed.tables))


@app.command()
def score(
    hypothesis: Annotated[Path, typer.Argument(help="Translations, one a line.")],
    reference: Annotated[Path, typer.Argument(help="References, one a line.")],
    lang: Annotated[str, typer.Option(help="Language of both: de, fr or en.")] = "de",
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
        _print_json(report.as_record())
    else:
        name = hypothesis.name
        typer.echo(to_text(score_table("Scores", {name: report.scores}, report.unavailable)))
        if baseline is not None:
            table = comparison_table(
                "Significance", report.comparisons, system=name, baseline=baseline.name
            )
            typer.echo(to_text(table))


@app.command()
def search(
    recipe: str,
    config: Config = "toy",
    changes: Changes = [],  # noqa: B006
    trials: Annotated[int, typer.Option(min=1, help="Of every row.")] = 8,
    row: Annotated[
        list[str] | None, typer.Option("--row", help="Only this row; may be repeated.")
    ] = None,
    space: Annotated[
        Path | None, typer.Option(help="File of choices; the recipe's own if not given.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Where the trials go; one that exists is gone on with.")
    ] = None,
    data_root: DataRoot = None,
    quiet: Annotated[bool, typer.Option(help="No progress.")] = False,
    as_json: AsJson = False,
) -> None:
    """Choose hyper-parameters on validation data: as many random trials for every row.

    Example: phosphene search modality_kd --trials 4 --row kd --row msd_meta
    """
    from dataclasses import asdict

    from phosphene.recipes.search import read_space, search_table
    from phosphene.recipes.search import search as run_trials
    from phosphene.report.tables import to_text

    _use_data(data_root)
    found = run_trials(
        recipe,
        config,
        changes,
        folder or Path("runs") / f"search-{recipe}",
        trials=trials,
        space=read_space(recipe, space),
        rows=row or (),
        quiet=quiet,
    )
    if as_json:
        _print_json([asdict(trial) for trial in found])
    else:
        typer.echo(to_text(search_table(found)))


@app.command()
def reproduce(
    table: Annotated[str, typer.Argument(help="PAPER/TABLE, or a TOML file of your own.")],
    size: Annotated[str, typer.Option(help="toy, small or paper.")] = "toy",
    seeds: Annotated[int, typer.Option(min=1, help="Runs of every cell, seeds 1 to N.")] = 1,
    folder: Annotated[
        Path | None, typer.Option(help="Of all runs; tables in one folder share theirs.")
    ] = None,
    config: Annotated[str, typer.Option(help="A TOML file in place of the size's own.")] = "",
    jobs: Annotated[int, typer.Option(min=1, help="Processes at once, one thread each.")] = 1,
    meteor: Annotated[bool, typer.Option(help="Also METEOR 1.5 (Java, extra meteor).")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would run.")] = False,
    data_root: DataRoot = None,
    quiet: Annotated[bool, typer.Option(help="No progress.")] = False,
) -> None:
    """Run a paper's table or figure as a grid, or go on with it; ours beside the paper's.

    Example: phosphene reproduce ikd/table-2 --size toy --seeds 3 --jobs 2
    """
    from phosphene.report.tables import to_text
    from phosphene.reproduce.grid import make_request
    from phosphene.reproduce.reproduce import plan_table
    from phosphene.reproduce.reproduce import reproduce as run_table

    _use_data(data_root)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # ends the processes it started, too
    request = make_request(table, size, seeds, config, meteor=meteor)
    root = folder if folder is not None else Path("runs") / f"reproduce-{size}"
    if dry_run:
        typer.echo(to_text(plan_table(request, root)))
    else:
        typer.echo(run_table(request, root, jobs=jobs, quiet=quiet))


@app.command()
def report(
    folders: Annotated[
        list[Path],
        typer.Argument(help="Run folders, or folders of reproduce.", show_default=False),
    ],
    out: Annotated[Path, typer.Option(help="The page; .md and .csv go beside it.")] = Path(
        "report.html"
    ),
    baseline: Annotated[
        Path | None, typer.Option(help="The run that the others are compared with.")
    ] = None,
) -> None:
    """Write one self-contained page about runs or tables, and the same as Markdown and CSV.

    Example: phosphene report runs/image-free runs/text-only --out runs/report.html
    """
    from phosphene.reproduce.pages import write_report

    typer.echo(write_report(folders, out, baseline))


@app.command()
def demo(
    folder: Annotated[Path, typer.Option(help="Where the runs go.")] = Path("runs/demo"),
    quiet: Annotated[bool, typer.Option(help="No progress.")] = False,
) -> None:
    """Train three translators on the embedded world, compare them, write a report.

    Example: phosphene demo
    """
    from phosphene.recipes.demo import run_demo

    typer.echo(run_demo(folder, quiet=quiet))


def main() -> NoReturn:
    """Run a command: 0 done, 1 failed, 2 bad usage or bad input, each error in one line."""
    try:
        app(standalone_mode=True)
    except InputError as error:
        _fail(error, 2)
    except StorageError as error:
        _fail(error, 1)
    except BrokenPipeError:  # whoever read our output has left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    sys.exit(0)


def _fail(error: Exception, code: int) -> NoReturn:
    typer.echo(f"phosphene: {' '.join(str(error).split())}", err=True)
    sys.exit(code)


def _remark(line: str) -> None:
    typer.echo(f"phosphene: {line}", err=True)


def _use_data(root: Path | None) -> None:
    if root is not None:
        os.environ["PHOSPHENE_DATA"] = str(root)


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True))


if __name__ == "__main__":
    main()
