"""Metrics as Prometheus gets them: over HTTP on loopback, and in a file."""

from __future__ import annotations

import urllib.request

from tests.interop.site import TORTURE_SHARE, Site
from tests.lab import fss
from tests.lab.namespaces import wait_until

PORT = 9563


def scraped(site: Site) -> str:
    with site.lab.network() as thread:
        url = f"http://127.0.0.1:{PORT}/metrics"
        return str(thread.submit(fetch, url).result(20))


def fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        text: str = answer.read().decode()
        return text


def test_metrics_appear_with_a_reload_and_go_with_another(site: Site) -> None:
    file = site.lab.directory / "fsrvpd.prom"
    site.samba.set_option("fsrvpd:metrics port", str(PORT))
    site.samba.set_option("fsrvpd:metrics file", str(file))
    site.daemon.ctl("reload-config")
    [copy] = fss.create_expose(site.samba, TORTURE_SHARE)
    fss.recovery_complete(site.samba, copy)
    text = scraped(site)
    assert 'fsrvpd_sets{status="Recovered"} 1.0' in text
    assert 'fsrvpd_calls_total{method="CommitShadowCopySet",result="ZERO"} 1.0' in text
    assert 'fsrvpd_call_seconds_count{method="CommitShadowCopySet"} 1.0' in text
    assert "fsrvpd_pipe_ours 1.0" in text
    assert 'fsrvpd_events_total{event="configuration-loaded"} 1.0' in text
    assert 'fsrvpd_events_total{event="stray-removed"} 0.0' in text
    volume = f'volume="{site.volumes["projects"]}"'
    assert f"fsrvpd_snapshots{{{volume}}} 1.0" in text
    assert f"fsrvpd_volume_free_bytes{{{volume}}}" in text
    wait_until("the file is written", file.exists)
    assert "fsrvpd_info" in file.read_text()
    fss.delete(site.samba, copy)
    for name in ("fsrvpd:metrics port", "fsrvpd:metrics file"):
        site.samba.set_option(name, None)
    site.daemon.ctl("reload-config")
    listening = site.lab.run(["ss", "-Hltn", f"sport = {PORT}"]).stdout
    assert listening == ""
    assert not file.exists()


def test_a_port_that_is_taken_is_told_and_changes_nothing(site: Site) -> None:
    site.samba.set_option("fsrvpd:metrics port", "445")
    site.samba.set_option("fsrvpd:dialect", "ws2012")
    try:
        refused = site.daemon.ctl("reload-config", check=False)
        assert "fsrvpd:metrics port = 445: cannot be had: Address already in use" in refused.stderr
        assert site.daemon.ask("status")["dialect"] == "current"
    finally:
        for name in ("fsrvpd:metrics port", "fsrvpd:dialect"):
            site.samba.set_option(name, None)
        site.daemon.ctl("reload-config")
