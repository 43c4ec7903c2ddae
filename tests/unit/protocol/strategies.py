"""Sets for hypothesis, from anything that a document can hold."""

from __future__ import annotations

from hypothesis import strategies as st

from fsrvpd import filetime
from fsrvpd.protocol.model import MappedShare, ShadowCopy, ShadowCopySet, Status
from fsrvpd.protocol.ports import Share, ShareLocation, Snapshot

TEXT = st.text(max_size=8)  # lone surrogates too: file names need not be UTF-8
TIMES = st.floats(min_value=0, max_value=1e11, allow_nan=False)
# What a FILETIME can hold, and a float too: only these are the same after a restart.
MOMENTS = st.floats(min_value=1.7e9, max_value=5e9).map(filetime.from_unix).map(filetime.to_unix)
GUIDS = st.binary(min_size=16, max_size=16)
# Of a share's definition only what is needed again is kept.
SHARES = st.builds(
    lambda name, path, options: Share(name, path, from_registry=False, options=options),
    TEXT,
    TEXT,
    st.dictionaries(TEXT, TEXT, max_size=2),
)
COPIES = st.builds(
    ShadowCopy,
    shadow_copy_id=GUIDS,
    location=st.builds(
        ShareLocation, SHARES, *[TEXT] * 4, st.booleans(), identity=st.none(), handle=st.just("")
    ),
    created=MOMENTS,
    share_mapping_list=st.lists(
        st.builds(MappedShare, *[TEXT] * 4, st.booleans(), st.booleans(), TEXT), max_size=2
    ),
    snapshot=st.none() | st.builds(Snapshot, TEXT, TEXT, TEXT, TEXT, TIMES),
    keep=st.booleans(),
)
SETS = st.builds(
    ShadowCopySet,
    shadow_copy_set_id=GUIDS,
    context=st.integers(min_value=0, max_value=2**32 - 1),
    client_address=TEXT,
    account=TEXT,
    started=TIMES,
    status=st.sampled_from(Status),
    shadow_copy_list=st.lists(COPIES, max_size=2),
    removing=st.booleans(),
    recovered_at=TIMES,
    may_have_unrecorded_snapshots=st.booleans(),
    snapshot_skew=TIMES,
)
