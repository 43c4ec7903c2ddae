"""What a command finds in its environment."""

from __future__ import annotations

import subprocess

from fsrvpd.requestor.ctl.command_environment import Copy, exports, variables

SET = "{0E5C6C3B-8F0B-4C39-9D1C-3B1E0A6A5D11}"
COPY = "{2B9D4D1B-4AD4-4B39-B3A5-0D1D35CD7C14}"


def test_each_copy_has_its_number() -> None:
    copies = [
        Copy(COPY, rf"\\nas\data@{COPY}", ""),
        Copy(SET, rf"\\fs2\vm@{SET}", "images\\web"),
    ]
    assert variables(SET, copies) == {
        "FSRVPSHADOW_SET": SET,
        "FSRVPSHADOW_SHARE_1": rf"\\nas\data@{COPY}",
        "FSRVPSHADOW_PREFIX_1": "",
        "FSRVPSHADOW_SHARE_2": rf"\\fs2\vm@{SET}",
        "FSRVPSHADOW_PREFIX_2": "images\\web",
        "VSS_SHADOW_SET": SET,
        "VSS_SHADOW_1": COPY,
        "VSS_SHADOW_2": SET,
    }


def test_a_shell_reads_the_lines_as_they_are_meant() -> None:
    nasty = "\\\\nas\\it's $(touch x)`y`\\"
    lines = exports(variables(SET, [Copy(COPY, nasty, "")]))
    script = lines + '\nprintf %s "$FSRVPSHADOW_SHARE_1"'
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == nasty
