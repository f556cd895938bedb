"""``.ci/run``: the page is tested where Chromium is, and its tests are missed aloud elsewhere."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / ".ci" / "run"
FAILS = 'echo "W: no network"; echo "E: Unable to locate package chromium" >&2; exit 100'
INSTALLS = 'printf "#!/bin/sh\\n" > "$(dirname "$0")/chromium"; chmod +x "$(dirname "$0")/chromium"'
SILENT = "exit 1"
MAKE = 'echo "$1: needs=${PHOSPHENE_NEEDS_BROWSER-} without=${PHOSPHENE_NO_BROWSER-}"; exit 3'


@pytest.mark.parametrize(
    ("apt", "out", "err"),
    [
        (INSTALLS, "test: needs=1 without=\n", ""),
        (
            FAILS,
            "test: needs= without=Chromium could not be installed: "
            "E: Unable to locate package chromium\n",
            "Chromium could not be installed: E: Unable to locate package chromium; "
            "the tests of the report's page will be skipped\n",
        ),
        (
            SILENT,
            "test: needs= without=Chromium could not be installed: no reason given\n",
            "Chromium could not be installed: no reason given; "
            "the tests of the report's page will be skipped\n",
        ),
    ],
    ids=["installed", "fails", "silent"],
)
def test_a_browser_is_needed_or_missed_aloud(tmp_path: Path, apt: str, out: str, err: str) -> None:
    for name in ("bash", "cat", "chmod", "dirname", "grep", "mktemp", "rm", "sh", "tail"):
        found = shutil.which(name)
        assert found is not None
        (tmp_path / name).symlink_to(found)
    for name, body in (("apt-get", apt), ("make", MAKE)):
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    done = subprocess.run(
        ["bash", str(SCRIPT)],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr, done.returncode) == (out, err, 3)
