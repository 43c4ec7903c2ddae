"""The order in which a client calls the methods to create a shadow copy set.

Spec: MS-FSRVP 3.2.4. A description for those who call; the server accepts every order that
3.1.4 permits.
"""

from __future__ import annotations

from fsrvpd.core.messages import Opnum

QUERIES = (Opnum.IsPathSupported, Opnum.GetSupportedVersion)
CREATION = (
    Opnum.SetContext,
    Opnum.StartShadowCopySet,
    Opnum.AddToShadowCopySet,  # for each share
    Opnum.PrepareShadowCopySet,
    Opnum.CommitShadowCopySet,
    Opnum.ExposeShadowCopySet,
    Opnum.GetShareMapping,  # for each share; until the next call the client may write
    Opnum.RecoveryCompleteShadowCopySet,
)
TIMEOUTS = {  # ms, as Windows' clients send them
    Opnum.PrepareShadowCopySet: 1_800_000,
    Opnum.CommitShadowCopySet: 60_000,
    Opnum.ExposeShadowCopySet: 1_800_000,
}
