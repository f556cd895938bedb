"""The command line. Heavy imports stay inside the commands, so that ``--help`` answers at once."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from phosphene.cli_options import (
    AsJson,
    Changes,
    Config,
    DataRoot,
    KeepGoing,
    Run,
    print_json,
    use_data,
)
from phosphene.cli_scores import evaluate, probe, score
from phosphene.cli_tables import report, reproduce, search
from phosphene.core.errors import InputError, StorageError

app = typer.Typer(
    help="Transfer what a vision-language teacher knows to a model that will have less.",
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)


@app.command()
def recipes(as_json: AsJson = False) -> None:
    """List the recipes.

    Example: phosphene recipes
    """
    from phosphene.recipes import RECIPES

    if as_json:
        print_json(RECIPES)
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
    keep_going: KeepGoing = False,
    as_json: AsJson = False,
) -> None:
    """Plan without training: data, stages, terms, parameters, frozen teachers, cost.

    With --leakage: pictures and near-duplicate sentences that training and evaluation share, in a
    recipe's data, or without a recipe in the published splits of the data root. That some are
    found is no error: the exit code is 0, and --json has them all.

    Example: phosphene check inversion_mmt --config small
    """
    use_data(data_root)
    if keep_going:
        from phosphene.recipes import keeping_going

        changes = keeping_going(recipe, changes)
    if leakage:
        from phosphene.recipes import leakage as leaks

        found = leaks.leakage(recipe, config, changes)
        if as_json:
            print_json(leaks.record(found))
        else:
            typer.echo(leaks.report(found))
        return
    if recipe is None:
        raise InputError("expected a recipe to plan, or --leakage for the data root")
    from phosphene.recipes.plan import plan

    report = plan(recipe, config, changes)
    if as_json:
        print_json(report.record())
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
    keep_going: KeepGoing = False,
    quiet: Annotated[bool, typer.Option(help="No progress.")] = False,
    as_json: AsJson = False,
) -> None:
    """Train a recipe, or go on where its run folder stands; then score and report it.

    Example: phosphene train inversion_mmt --config toy --run runs/image-free
    """
    from phosphene.evaluate.results import results_record
    from phosphene.recipes import keeping_going
    from phosphene.recipes.launch import render, train_run

    use_data(data_root)
    if keep_going:
        changes = keeping_going(recipe, changes)
    if seed is not None:
        changes = [*changes, f"seed={seed}"]
    folder = run if run is not None else Path("runs") / f"{recipe}-{Path(config).stem}"
    results = train_run(recipe, config, changes, folder, quiet=quiet)
    if as_json:
        print_json(results_record(results))
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

    use_data(data_root)
    folder = run if run is not None else Path("runs") / f"{recipe}-{Path(config).stem}"
    record = cache_run(recipe, config, changes, folder, quiet=quiet)
    if as_json:
        print_json(record)
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


app.command()(evaluate)
app.command()(probe)
app.command()(score)
app.command()(search)
app.command()(reproduce)
app.command()(report)


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
    code = 0
    try:
        code = app(sys.argv[1:] or ["--help"], standalone_mode=False) or 0
    except _UsageError as error:
        _fail(f"{error.format_message().rstrip('.')}; see --help", 2)
    except typer.Abort:
        sys.exit(130)
    except InputError as error:
        _fail(error, 2)
    except StorageError as error:
        _fail(error, 1)
    except BrokenPipeError:  # whoever read our output has left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    sys.exit(code)


_UsageError: Any = typer.BadParameter.__base__
"""Of all that is wrong with the words of a command."""


def _fail(error: Exception | str, code: int) -> NoReturn:
    typer.echo(f"phosphene: {' '.join(str(error).split())}", err=True)
    sys.exit(code)


def _remark(line: str) -> None:
    typer.echo(f"phosphene: {line}", err=True)


if __name__ == "__main__":
    main()
