"""`python -m tests.platform.samba`: a stock smbd on LVM, in the emulated machine."""

from __future__ import annotations

import sys

from tests.platform import guest
from tests.platform import kernel as kernels
from tests.platform.guest import Guest
from tests.platform.roots import CannotBuild

TIMEOUT = 1800.0  # s; an idle machine needs a quarter of it
SLOWNESS = "15"
TESTS = "tests/platform/samba_in_guest.py"


def main() -> int:
    """Return pytest's exit status, or 2 if the machine is not available."""
    try:
        kernel, root = kernels.kernel("backports"), guest.programs_with_samba()
        with Guest(root, kernel, ["dm-thin-pool", "xfs"]) as machine:
            argv = [guest.python(), "-m", "pytest", "-q", "-p", "no:cacheprovider", TESTS]
            return machine.run(argv, TIMEOUT, FSRVPD_TEST_SLOWNESS=SLOWNESS)
    except CannotBuild as error:
        print(f"Samba above LVM was not tried: {error}")
        return 2


if __name__ == "__main__":
    sys.exit(main())
