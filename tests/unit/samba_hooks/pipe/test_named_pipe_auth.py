from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, Dict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samba_hooks.pipe import named_pipe_auth
from tests import paths
from tests.unit.samba_hooks.pipe import npa_builder

VECTORS = paths.VECTORS / "npa"
NAMES = sorted(path.stem for path in VECTORS.glob("*.json"))
STATUS_OK = 0


def vector(name: str) -> Dict[str, Any]:
    facts: Dict[str, Any] = json.loads((VECTORS / f"{name}.json").read_text("utf-8"))
    return facts


def capture(name: str) -> bytes:
    return (VECTORS / f"{name}.bin").read_bytes()


MEMBER = "level7_member_domainadmin_krb5_smbenc"
STANDALONE = "level7_samba4.17.12_standalone_root"


def built(level: int, ticket_type: bool = True, claims: int = 0, **changes: Any) -> bytes:
    facts = {**vector(MEMBER)["request"], **changes}
    return npa_builder.build(facts, level, ticket_type, claims)


def test_every_level_that_was_captured_is_here() -> None:
    assert {vector(name)["level"] for name in NAMES} == {4, 7, 8}


@pytest.mark.parametrize("name", NAMES)
def test_capture_is_read(name: str) -> None:
    expected = vector(name)
    request = named_pipe_auth.parse_request(capture(name))
    assert request.level == expected["level"]
    assert request.server_address == expected["request"]["server_address"]
    caller = request.caller._asdict()
    caller["sids"] = sorted(caller["sids"])
    assert caller == expected["caller"]


@pytest.mark.parametrize("name", NAMES)
def test_builder_makes_the_same_bytes(name: str) -> None:
    """What entitles the tests below to trust the builder where no capture exists; and
    proof that the session keys in the captures are blotted out, for it writes zeros."""
    facts = vector(name)
    assert npa_builder.build(facts["request"], facts["level"], facts["ticket_type"]) == capture(
        name
    )


@pytest.mark.parametrize("level", [4, 5])
@pytest.mark.parametrize("ticket_type", [True, False])
@pytest.mark.parametrize("name", ["m", "mi", "mid", "midd", "longer name", "länger"])
def test_old_levels_with_and_without_ticket_type(level: int, ticket_type: bool, name: str) -> None:
    """The names move the token through all alignments: the probing must not depend on one."""
    request = named_pipe_auth.parse_request(built(level, ticket_type, server_name=name))
    expected = vector(MEMBER)["caller"]
    assert request.level == level
    assert sorted(request.caller.sids) == expected["sids"]
    assert request.caller.account == expected["account"]
    assert request.caller.uid == expected["uid"]


def test_reply_is_what_samba_reads(tmp_path: Path) -> None:
    """At the one level that the Samba of this machine speaks."""
    read = {level: printed_by_samba(level, tmp_path) for level in named_pipe_auth.SUPPORTED_LEVELS}
    [(level, printed)] = [(level, text) for level, text in read.items() if text]
    facts = dict(
        line.split(":", 1) for line in printed.replace(" ", "").splitlines() if ":0x" in line
    )
    assert facts == {
        "length": "0x00000020(32)",
        "level": f"0x{level:08x}({level})",
        "file_type": "0x0002(2)",
        "device_state": "0x05ff(1535)",
        "allocation_size": "0x0000000000001000(4096)",
    }
    assert "NT_STATUS_OK" in printed


def printed_by_samba(level: int, directory: Path) -> str:
    """ "" when it does not know the level."""
    ndrdump = shutil.which("ndrdump")
    assert ndrdump, "package samba-testsuite"
    reply = directory / "reply"
    reply.write_bytes(named_pipe_auth.reply(level, STATUS_OK))
    argv = [ndrdump, "named_pipe_auth", "named_pipe_auth_rep", "struct", str(reply)]
    run = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=30)
    return run.stdout if run.returncode == 0 else ""


@pytest.mark.parametrize("level", named_pipe_auth.SUPPORTED_LEVELS)
def test_reply_differs_in_nothing_but_the_level(level: int) -> None:
    reply = named_pipe_auth.reply(level)
    assert reply[8:16] == level.to_bytes(4, "little") * 2
    assert reply[:8] + reply[16:] == named_pipe_auth.reply(7)[:8] + named_pipe_auth.reply(7)[16:]


def test_refusal_carries_the_status() -> None:
    assert (
        named_pipe_auth.reply(9, named_pipe_auth.STATUS_INVALID_LEVEL)[-4:] == b"\x48\x01\x00\xc0"
    )


def test_a_level_of_the_future_is_named() -> None:
    blob = bytearray(capture(STANDALONE))
    blob[8:16] = (9).to_bytes(4, "little") * 2
    with pytest.raises(named_pipe_auth.UnknownLevel, match="level 9") as caught:
        named_pipe_auth.parse_request(bytes(blob))
    assert caught.value.level == 9


def test_guest_is_anonymous_at_either_encoding() -> None:
    for level in named_pipe_auth.SUPPORTED_LEVELS:
        assert named_pipe_auth.parse_request(built(level, authenticated=False)).caller.anonymous


def test_without_authenticated_users_a_session_is_anonymous() -> None:
    sids = [sid for sid in vector(MEMBER)["request"]["sids"] if sid != "S-1-5-11"]
    assert named_pipe_auth.parse_request(built(7, sids=sids)).caller.anonymous


def test_the_anonymous_sid_is_anonymous_whatever_else_is_said() -> None:
    sids = ["S-1-5-7", "S-1-5-11"]
    assert named_pipe_auth.parse_request(built(7, sids=sids)).caller.anonymous


@pytest.mark.parametrize(
    "marks",
    [
        [],
        ["S-1-22-1397571891-785-1-2"],
        ["S-1-22-1397571891-785-2"],
        ["S-1-22-1397571891-785-2-2", "S-1-22-1397571891-785-2-1"],
    ],
)
def test_encrypted_needs_exactly_smbds_mark(marks: list[str]) -> None:
    sids = [sid for sid in vector(MEMBER)["request"]["sids"] if "1397571891" not in sid]
    assert not named_pipe_auth.parse_request(built(7, sids=sids + marks)).caller.encrypted


def test_claims_end_the_reading_but_not_the_session() -> None:
    caller = named_pipe_auth.parse_request(built(8, claims=2)).caller
    expected = vector(MEMBER)["caller"]
    assert caller.uid == expected["uid"], "from S-1-22-1-<uid>"
    assert caller.account == caller.user_sid == expected["user_sid"]
    assert caller.privileges == expected["privileges"]
    assert not caller.anonymous


def test_device_sids_are_stepped_over() -> None:
    caller = named_pipe_auth.parse_request(built(8, device_sids=["S-1-5-32-544"])).caller
    assert caller.account == vector(MEMBER)["caller"]["account"]


@pytest.mark.parametrize(
    ("sent", "canonical"),
    [
        ("::ffff:10.1.2.3", "10.1.2.3"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1%eth0"),
    ],
)
def test_one_client_has_one_address(sent: str, canonical: str) -> None:
    assert named_pipe_auth.parse_request(built(7, client_address=sent)).caller.address == canonical


@pytest.mark.parametrize("address", ["", "host.example", "10.0.0.256", None])
def test_no_address_no_session(address: object) -> None:
    with pytest.raises(named_pipe_auth.NpaError, match="not an IP address"):
        named_pipe_auth.parse_request(built(7, client_address=address))


def test_a_user_in_65536_groups_fits() -> None:
    groups = list(range(65536))
    sids = vector(MEMBER)["request"]["sids"] + [f"S-1-22-2-{gid}" for gid in groups]
    blob = built(7, sids=sids, groups=groups)
    assert len(blob) < named_pipe_auth.MAX_REQUEST
    assert len(named_pipe_auth.parse_request(blob).caller.sids) > 65536


def test_oversized_request_is_refused_by_its_length_alone() -> None:
    limit = named_pipe_auth.MAX_REQUEST - named_pipe_auth.LENGTH_SIZE
    assert named_pipe_auth.request_size(limit.to_bytes(4, "big")) == named_pipe_auth.MAX_REQUEST
    with pytest.raises(named_pipe_auth.NpaError, match="at most"):
        named_pipe_auth.request_size((limit + 1).to_bytes(4, "big"))


def test_error_texts_hold_nothing_of_the_request() -> None:
    key = b"\xde\xad\xbe\xef" * 4
    blob = built(7).replace(bytes(16), key, 1)[:-1]
    blob = (len(blob) - 4).to_bytes(4, "big") + blob[4:]
    with pytest.raises(named_pipe_auth.NpaError) as caught:
        named_pipe_auth.parse_request(blob)
    assert "dead" not in str(caught.value)
    assert "xde" not in str(caught.value)


@pytest.mark.parametrize("name", NAMES)
def test_every_truncation_is_an_npa_error(name: str) -> None:
    blob = capture(name)
    for size in range(len(blob)):
        for cut in (blob[:size], (size - 4).to_bytes(4, "big", signed=True) + blob[4:size]):
            with pytest.raises(named_pipe_auth.NpaError):
                named_pipe_auth.parse_request(cut)


@settings(max_examples=600, deadline=None)
@given(
    st.sampled_from([capture(name) for name in NAMES] + [built(4, False), built(5)]),
    st.lists(st.tuples(st.integers(8, 2000), st.binary(min_size=1, max_size=8)), max_size=4),
)
def test_mutated_captures_raise_nothing_else(blob: bytes, changes: list[tuple[int, bytes]]) -> None:
    mutated = bytearray(blob)
    for offset, data in changes:
        start = offset % len(blob)
        mutated[start : start + len(data)] = data
    mutated[0:4] = (len(mutated) - 4).to_bytes(4, "big")
    try:
        request = named_pipe_auth.parse_request(bytes(mutated))
    except named_pipe_auth.NpaError:
        return
    assert request.caller.user_sid in request.caller.sids


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_noise_raises_nothing_else(noise: bytes) -> None:
    for level in named_pipe_auth.SUPPORTED_LEVELS:
        body = b"NPAM" + level.to_bytes(4, "little") * 2 + noise
        try:
            named_pipe_auth.parse_request(len(body).to_bytes(4, "big") + body)
        except named_pipe_auth.NpaError:
            continue
