"""Metrics as Prometheus gets them: over HTTP on loopback, and in a file."""

from __future__ import annotations

import time
import urllib.request

from lab import fss
from lab.namespaces import wait_until
from tests.interop.nas import TORTURE_SHARE, Nas

PORT = 9563
LAST_BACKUP = "fsrvpd_last_backup_timestamp_seconds{"


def scraped(nas: Nas) -> str:
    with nas.lab.network() as thread:
        url = f"http://127.0.0.1:{PORT}/metrics"
        return str(thread.submit(fetch, url).result(20))


def fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        text: str = answer.read().decode()
        return text


def test_metrics_appear_with_a_reload_and_go_with_another(nas: Nas) -> None:
    file = nas.lab.directory / "fsrvpd.prom"
    nas.samba.set_option("fsrvpd:metrics port", str(PORT))
    nas.samba.set_option("fsrvpd:metrics file", str(file))
    nas.daemon.ctl("reload-config")
    [copy] = fss.create_expose(nas.samba, TORTURE_SHARE)
    fss.recovery_complete(nas.samba, copy)
    text = scraped(nas)
    assert 'fsrvpd_sets{status="Recovered"} 1.0' in text
    assert 'fsrvpd_calls_total{method="CommitShadowCopySet",result="ZERO"} 1.0' in text
    assert 'fsrvpd_call_seconds_count{method="CommitShadowCopySet"} 1.0' in text
    assert "fsrvpd_pipe_ours 1.0" in text
    assert 'fsrvpd_events_total{event="configuration-loaded"} 1.0' in text
    assert 'fsrvpd_events_total{event="orphan-removed"} 0.0' in text
    volume = f'volume="{nas.volumes["projects"]}"'
    assert f"fsrvpd_snapshots{{{volume}}} 1.0" in text
    assert f"fsrvpd_volume_free_bytes{{{volume}}}" in text
    wait_until("the file is written", file.exists)
    assert "fsrvpd_info" in file.read_text()
    fss.delete(nas.samba, copy)
    nas.daemon.restart()
    [line] = [each for each in scraped(nas).splitlines() if each.startswith(LAST_BACKUP)]
    assert f'share="{TORTURE_SHARE}"' in line
    assert 0 <= time.time() - float(line.split()[-1]) < 300
    assert "fsrvpd_last_backups_left_out 0.0" in scraped(nas)
    kept = nas.daemon.ask("create-set", "--keep", TORTURE_SHARE)
    nas.daemon.ask("delete-set", kept["set"])
    nas.daemon.ask("list-kept")
    counted = f'fsrvpd_kept_copies{{share="{TORTURE_SHARE}"}} 1.0'
    wait_until("the kept copy is counted", lambda: counted in scraped(nas))
    assert "fsrvpd_kept_bytes{" not in scraped(nas), "no quota counts them"
    nas.daemon.ask("delete-kept", kept["set"])
    for name in ("fsrvpd:metrics port", "fsrvpd:metrics file"):
        nas.samba.set_option(name, None)
    nas.daemon.ctl("reload-config")
    listening = nas.lab.run(["ss", "-Hltn", f"sport = {PORT}"]).stdout
    assert listening == ""
    wait_until("the file is deleted", lambda: not file.exists())


def test_a_port_that_is_taken_is_told_and_changes_nothing(nas: Nas) -> None:
    nas.samba.set_option("fsrvpd:metrics port", "445")
    nas.samba.set_option("fsrvpd:dialect", "ws2012")
    try:
        refused = nas.daemon.ctl("reload-config", check=False)
        assert "fsrvpd:metrics port = 445: cannot be used: Address already in use" in refused.stderr
        assert nas.daemon.ask("status")["dialect"] == "current"
    finally:
        for name in ("fsrvpd:metrics port", "fsrvpd:dialect"):
            nas.samba.set_option(name, None)
        nas.daemon.ctl("reload-config")
