"""Tables that need no training: how many examples there are, how large a network's maps are."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.core.errors import InputError
from phosphene.core.runlog import commit
from phosphene.models.resnet import resnet50
from phosphene.nn.pyramid import InvertedPyramid
from phosphene.recipes.plan import plan
from phosphene.report.model import Cell, Missing, Report, Table
from phosphene.reproduce.grid import Grid, changes_of
from phosphene.reproduce.tables import Block, Column, Row

_SIDE = 224
_PARAMETERS = "parameters"


def fact_report(grid: Grid) -> Report:
    """The page of a table of facts."""
    table = grid.table
    return Report(
        title=f"{table.source}: {table.title}",
        signature=f"{grid.request.folder_name}|size:{grid.request.size}|commit:{commit()}",
        summary=table.note,
        tables=(fact_table(grid),),
    )


def fact_table(grid: Grid) -> Table:
    """Beside every column of ours the paper's."""
    table, size = grid.table, grid.request.size
    known = _maps() if table.kind == "maps" else _counts(grid)
    header = [""]
    cells: list[list[Cell]] = [[row.shown_label for row in table.rows]]
    for number, (block, column) in enumerate(table.places):
        name = " ".join(filter(None, (block.label, column.label)))
        if size in column.absent:
            header.append(f"{name}, here")
            cells.append([Missing(column.absent[size]) for _ in table.rows])
        elif size in column.splits:
            header.append(f"{name}, here")
            cells.append([_here(known, row, block, column) for row in table.rows])
        header.append(f"paper: {name}")
        cells.append([_printed(row, number) for row in table.rows])
    title = f"{table.source}: {table.title}"
    return Table(title, tuple(header), tuple(zip(*cells, strict=True)), table.note)


Facts = dict[str, dict[str, str] | str]
"""Of every block its facts, or why there are none."""


def _counts(grid: Grid) -> Facts:
    """What each block's data hold."""
    table, size = grid.table, grid.request.size
    config = grid.request.config or size
    shown = {block.label for block, column in table.places if size in column.splits}
    found: Facts = {}
    for block in table.blocks:
        if block.label not in shown:
            continue
        reason = table.impossible_at(size) or block.impossible_at(size)
        try:
            changes = changes_of(table, table.rows[0], block, size)
            found[block.label] = reason or plan(table.recipe, config, changes).data
        except InputError as error:
            found[block.label] = f"failed: {error}"
    return found


def _maps() -> Facts:
    """Maps of ResNet-50 and of its mirror, channels x height x width, by number and side.

    After those of the stages: what the teacher pools, and what the student starts with.
    """
    with torch.device("meta"):
        teacher = resnet50(_SIDE)
        student = InvertedPyramid(teacher.picture, teacher.stages).eval()
        last = teacher.stages[-1].shape
        maps = torch.zeros(1, last.channels, last.height, last.width)
        drawn, pooled = student(maps), teacher.avgpool(maps)
    leaving = (drawn.image, *drawn.blocks[:-1])
    facts = {_PARAMETERS: f"{sum(each.numel() for each in student.parameters()):,}"}
    for number, (stage, map_) in enumerate(zip(teacher.stages, leaving, strict=True), start=1):
        shape = stage.shape
        facts[f"{number} teacher"] = f"{shape.channels} x {shape.height} x {shape.width}"
        facts[f"{number} student"] = _size(map_)
    beyond = len(teacher.stages) + 1
    facts[f"{beyond} teacher"], facts[f"{beyond} student"] = _size(pooled), _size(drawn.last)
    return {"": facts}


def _size(maps: Float[Tensor, "photo channel height width"]) -> str:
    return " x ".join(str(length) for length in maps.shape[1:])


def _here(known: Facts, row: Row, block: Block, column: Column) -> Cell:
    facts = known[block.label]
    if row.quoted or isinstance(facts, str):
        return Missing(facts if isinstance(facts, str) else "quoted by the paper")
    for name in (row.fact, f"{row.fact} {column.score}"):
        if name in facts:
            return facts[name]
    return Missing("not counted here")


def _printed(row: Row, number: int) -> Cell:
    value = row.paper[number] if number < len(row.paper) else ""
    return f"{value}" if value != "" else Missing("not in the paper, or not known here")


__all__ = ["fact_report", "fact_table"]
