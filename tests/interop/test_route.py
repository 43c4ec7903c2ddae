"""The number of Python files that one unsigned request passes in the daemon may not grow."""

from __future__ import annotations

from benchmarks.route import routes

MOST = {"GetSupportedVersion": 15, "AddToShadowCopySet": 20}


def test_a_request_passes_no_more_files_than_before() -> None:
    """`python -m benchmarks.route METHOD` lists them."""
    found = routes()
    for method, most in MOST.items():
        assert len(found[method]) <= most, "\n".join([method, *found[method]])
