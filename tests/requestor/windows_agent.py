"""fsrvpd that rests after an abort as Windows does: note 6 of MS-FSRVP has it refuse new sets for
half an hour after that of a set which is Added or Exposed. Here it rests while a file is there.

windows_agent.py FILE fsrvpd ARGUMENT…
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import cast

import fsrvpd.daemon.main
from fsrvpd.core import messages as m
from fsrvpd.core.messages import Opnum
from fsrvpd.errors import PeerError
from fsrvpd.protocol.actions import Call
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.model import Status
from fsrvpd.protocol.server.method_rules import METHODS
from fsrvpd.protocol.server.state_machine import AgentState


class Rest:
    def __init__(self, file: Path) -> None:
        self._file = file
        self._begun = False
        abort, start = METHODS[Opnum.AbortShadowCopySet], METHODS[Opnum.StartShadowCopySet]
        self._abort, self._start = abort.handler, start.handler
        METHODS[Opnum.AbortShadowCopySet] = abort._replace(handler=self.abort)
        METHODS[Opnum.StartShadowCopySet] = start._replace(handler=self.start)

    def abort(self, state: AgentState, call: Call) -> None:
        held = state.table.get(cast(m.AbortShadowCopySet, call.request).shadow_copy_set_id)
        if held is not None and held.status in (Status.ADDED, Status.EXPOSED):
            self._begun = True
        self._abort(state, call)

    def start(self, state: AgentState, call: Call) -> None:
        self._begun = self._begun and self._file.exists()
        if self._begun:
            why = "a set was aborted within the last half hour"
            raise PeerError(HResult.FSRVP_E_SHADOW_COPY_SET_IN_PROGRESS, why)
        self._start(state, call)


if __name__ == "__main__":
    Rest(Path(sys.argv[1]))
    sys.exit(fsrvpd.daemon.main.main(sys.argv[3:]))
