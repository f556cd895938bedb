"""A grid is run to its end, whatever happens on the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny_grid import PROGRAM, TABLE, grid, request_file

from phosphene.core.errors import InputError
from phosphene.core.runlog import RunLog
from phosphene.reproduce.execute import Job, execute
from phosphene.reproduce.grid import changes_of, make_request
from phosphene.reproduce.measure import Measurements, NotMeasured
from phosphene.reproduce.reproduce import plan_table

QUIET = RunLog(None, quiet=True)


def jobs(folder: Path, *codes: str) -> list[Job]:
    """Jobs that run Python code; ``PRODUCT`` in it is the path of what they are to make."""
    made = []
    for number, code in enumerate(codes):
        product = folder / f"{number}.out"
        script = code.replace("PRODUCT", repr(str(product)))
        made.append(Job(f"job-{number}", (script,), product, folder / "logs"))
    return made


MAKE = "open(PRODUCT, 'w').close()"
PYTHON = (sys.executable, "-c")


def test_a_run_for_every_row_block_and_seed(tmp_path: Path) -> None:
    made = grid(tmp_path, seeds=2)
    assert [run.seed for run in made.runs] == [1, 1, 1, 1, 2, 2, 2, 2]
    assert {place: len(runs) for place, runs in made.cells.items()} == {
        (row, block): 2 for row in ("text", "free") for block in ("EN-DE", "EN-FR")
    }
    run = made.cells["text", "EN-FR"][1]
    assert run.changes == ("data.languages=['en', 'fr']", "system=text_only", "seed=2")
    assert run.training.words[:4] == ("train", "inversion_mmt", "--config", "toy")
    assert run.name.startswith("inversion_mmt-") and run.name.endswith("-2")
    table = made.table
    assert changes_of(table, table.rows[0], table.blocks[0], "toy") == ("system=text_only",)


def test_a_size_at_which_nothing_is_measured_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no column has splits at size small, expected --size to"):
        grid(tmp_path, size="small")


def test_nothing_runs_where_all_is_absent_for_a_reason(tmp_path: Path) -> None:
    text = TABLE.replace('toy = ["ambiguous"] }', 'toy = ["ambiguous"] }\nabsent.small = "no data"')
    assert not grid(tmp_path, size="small", text=text).cells


def test_the_plan_says_what_would_run(tmp_path: Path) -> None:
    plan = plan_table(make_request(request_file(tmp_path), "toy", 1), tmp_path / "runs")
    assert plan.title.endswith("4 runs, 4 to do")
    assert {row[-1] for row in plan.rows} == {"to do"}
    assert not (tmp_path / "runs").exists()


def test_a_failed_run_is_kept_with_its_reason_and_tried_again(tmp_path: Path) -> None:
    fails = "import sys; print('phosphene: no data'); sys.exit(2)"
    wanted = jobs(tmp_path, fails, "import os; os.kill(os.getpid(), 9)", "pass", MAKE)
    execute(wanted, QUIET, label="runs", program=PYTHON)
    assert [job.is_finished for job in wanted] == [False, False, False, True]
    assert [job.failure for job in wanted] == [
        "no data",
        "killed by signal 9",
        "ended with code 0 and said nothing",
        "",
    ]
    better = [Job(job.name, (f"open({str(job.product)!r}, 'w')",), *vars_of(job)) for job in wanted]
    execute(better, QUIET, label="runs", program=PYTHON)
    assert all(job.is_finished and not job.failure for job in better)


def vars_of(job: Job) -> tuple[Path, Path]:
    return job.product, job.logs


def test_a_run_whose_results_are_damaged_is_scored_again(tmp_path: Path) -> None:
    made = grid(tmp_path, seeds=1)
    jobs = [run.training for run in made.runs]
    execute(jobs, QUIET, label="runs", program=PROGRAM)
    damaged = made.runs[0]
    damaged.training.product.write_text("{", encoding="utf-8")
    assert damaged.state == "damaged, to be scored again"
    assert isinstance(Measurements(made).cells["text", "EN-DE", "B"], NotMeasured)
    execute(jobs, QUIET, label="runs", program=PROGRAM)
    assert damaged.state == "finished"


def test_several_at_once(tmp_path: Path) -> None:
    """Each of two jobs waits for a file that the other makes."""
    wait = (
        "import time, pathlib; here, there = pathlib.Path(PRODUCT), pathlib.Path(OTHER)\n"
        "(here.with_suffix('.begun')).touch()\n"
        "while not there.with_suffix('.begun').exists(): time.sleep(.02)\n"
        "here.touch()"
    )
    codes = [wait.replace("OTHER", repr(str(tmp_path / f"{other}.out"))) for other in (1, 0)]
    both = jobs(tmp_path, *codes)
    execute(both, QUIET, label="runs", at_once=2, program=PYTHON)
    assert all(job.is_finished for job in both)


DRIVER = """
import sys
from pathlib import Path
from phosphene.core.runlog import RunLog
from phosphene.reproduce.execute import Job, execute
folder, seconds = Path(sys.argv[1]), sys.argv[2]
make = "open(%r, 'w').close()"
slow = "open(%r, 'w').close(); import time; time.sleep({}); ".format(seconds)
scripts = {"0.out": make, "1.out": slow % str(folder / "1.begun") + make, "2.out": make}
jobs = [Job(name, (script % str(folder / name),), folder / name, folder / "logs")
        for name, script in scripts.items()]
execute(jobs, RunLog(None, quiet=True), label="runs", program=(sys.executable, "-c"))
"""


def drive(folder: Path, seconds: int) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-W", "ignore", "-c", DRIVER, str(folder), str(seconds)]
    return subprocess.Popen(words, start_new_session=True)


def test_a_grid_that_is_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    first = drive(tmp_path, 600)
    deadline = time.monotonic() + 100
    while not (tmp_path / "1.begun").exists():
        assert time.monotonic() < deadline and first.poll() is None
        time.sleep(0.05)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    made = (tmp_path / "0.out").stat().st_mtime_ns
    assert not (tmp_path / "1.out").exists()
    assert drive(tmp_path, 0).wait(timeout=100) == 0
    assert all((tmp_path / f"{number}.out").exists() for number in range(3))
    assert (tmp_path / "0.out").stat().st_mtime_ns == made, "finished before, not run again"


def test_whoever_interrupts_ends_the_processes_too(tmp_path: Path) -> None:
    """When the second job is about to start, the first is at work."""
    pid_file = tmp_path / "pid"

    class Impatient(RunLog):
        def say(self, text: str) -> None:
            deadline = time.monotonic() + 100
            while "1 of 2" not in text:
                assert time.monotonic() < deadline
                if pid_file.exists():
                    raise KeyboardInterrupt
                time.sleep(0.02)

    slow = (
        f"import os, pathlib, time; begun = pathlib.Path({str(tmp_path / 'begun')!r}); "
        f"begun.write_text(str(os.getpid())); begun.rename({str(pid_file)!r}); time.sleep(60)"
    )
    with pytest.raises(KeyboardInterrupt):
        execute(
            jobs(tmp_path, slow, MAKE),
            Impatient(None, quiet=True),
            label="runs",
            at_once=2,
            program=PYTHON,
        )
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)


def test_the_made_up_program_finishes_a_run(tmp_path: Path) -> None:
    made = grid(tmp_path, seeds=1)
    execute([run.training for run in made.runs], QUIET, label="runs", at_once=2, program=PROGRAM)
    assert all(run.state == "finished" for run in made.runs)


def test_a_row_whose_settings_do_not_fit_is_refused_before_anything_runs(tmp_path: Path) -> None:
    wrong = TABLE.replace("system=text_only", "sistem=text_only")
    with pytest.raises(InputError, match=r"own\.toml, row 'text': .*unknown key 'sistem'"):
        grid(tmp_path, text=wrong)
