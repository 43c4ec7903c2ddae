"""The Kerberos acceptor in memory, with keys and tickets of the real domain."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import pytest
from gssapi.raw import RequirementFlag

from fsrvpd.errors import AuthenticationError
from fsrvpd.rpc.security import der
from fsrvpd.rpc.security.context import AuthLevel, AuthParameters, BadSignature, Reply
from fsrvpd.rpc.security.kerberos import KerberosAcceptor
from fsrvpd.rpc.security.spnego import KRB5_OID
from lab.domain import DOMAIN, MEMBER, REALM
from tests.ad.initiator import EVERYTHING, Initiator
from tests.ad.nas import Nas
from tests.unit.rpc.security.initiators import pdu


class TestKerberosAcceptor:
    """Logins and messages, with signed headers and without."""

    @pytest.fixture
    def make(
        self, nas: Nas, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> Callable[..., tuple[Initiator, KerberosAcceptor]]:
        monkeypatch.setenv("KRB5RCACHENAME", f"file2:{tmp_path}/replays")
        cache = Path(nas.domain.kinit(nas.admin)["KRB5CCNAME"].partition(":")[2])
        environment = {"KRB5CCNAME": f"FILE:{cache}"}
        nas.lab.run(["kvno", f"cifs/{MEMBER}"], environment=environment)

        def made(
            level: int, header_signing: bool = True, **options: Any
        ) -> tuple[Initiator, KerberosAcceptor]:
            service = f"cifs/{MEMBER}@{REALM}"
            client = Initiator(nas.lab.seen(cache), service, header_signing, **options)
            parameters = AuthParameters(AuthLevel(level), header_signing)
            return client, KerberosAcceptor(parameters, f"FILE:{nas.lab.seen(nas.keytab)}")

        return made

    def joined(self, both: tuple[Initiator, KerberosAcceptor]) -> None:
        client, server = both
        reply = server.step(client.first())
        assert not reply.done
        assert server.principal is None
        assert server.step(client.next(reply.token)) == Reply(b"", True)

    @pytest.mark.parametrize("header_signing", [True, False])
    @pytest.mark.parametrize("level", [5, 6])
    def test_both_ways(self, nas: Nas, make: Any, level: int, header_signing: bool) -> None:
        client, server = both = make(level, header_signing)
        self.joined(both)
        assert server.principal is not None
        assert server.principal.user_sid.endswith(f"-{nas.domain.rid(nas.admin.name)}")
        assert server.principal.account == f"{DOMAIN}\\{nas.admin.name}"
        for number, body in enumerate((b"first body" * 3, b"", bytes(range(256)) * 16)):
            if level == AuthLevel.PKT_INTEGRITY:
                server.verify(pdu(body, number), client.sign(pdu(body, number)))
                token = server.sign(pdu(body, number))
                client.verify(pdu(body, number), token)
            else:
                sealed, token = client.seal(pdu(body, number))
                assert server.unseal(pdu(sealed, number), token) == body
                sealed, token = server.seal(pdu(body, number))
                assert client.unseal(pdu(sealed, number), token) == body
            assert len(token) == server.token_size(len(body))

    @pytest.mark.parametrize("part", ["head", "body", "sec_trailer"])
    @pytest.mark.parametrize("level", [5, 6])
    def test_tampering(self, make: Any, level: int, part: str) -> None:
        client, server = both = make(level)
        self.joined(both)
        message = pdu(b"the body")
        if level == AuthLevel.PKT_INTEGRITY:
            token = client.sign(message)
        else:
            sealed, token = client.seal(message)
            message = pdu(sealed)
        changed = bytearray(getattr(message, part))
        changed[0] ^= 1
        message = message._replace(**{part: bytes(changed)})
        with pytest.raises(BadSignature):
            (server.verify if level == AuthLevel.PKT_INTEGRITY else server.unseal)(message, token)

    def test_replays(self, make: Any) -> None:
        """A replayed message and a replayed login are both refused."""
        client, server = both = make(5)
        first = client.first()
        server.step(client.next(server.step(first).token))
        token = client.sign(pdu(b"once"))
        server.verify(pdu(b"once"), token)
        with pytest.raises(BadSignature):
            server.verify(pdu(b"once"), token)
        with pytest.raises(AuthenticationError, match="replay"):
            make(5)[1].step(first)
        assert both[1].principal is not None

    def test_left_out(self, make: Any) -> None:
        client, server = both = make(5)
        self.joined(both)
        client.sign(pdu(b"first"))
        with pytest.raises(BadSignature):
            server.verify(pdu(b"second"), client.sign(pdu(b"second")))

    def test_signed_only_where_sealed_belongs(self, make: Any) -> None:
        client, server = both = make(6)
        self.joined(both)
        with pytest.raises(BadSignature):
            server.unseal(pdu(b"the body"), client.sign(pdu(b"the body")))

    @pytest.mark.parametrize("missing", ["replay_detection", "out_of_sequence_detection"])
    def test_less_than_the_level_needs(self, make: Any, missing: str) -> None:
        client, server = make(6, flags=EVERYTHING & ~RequirementFlag[missing])
        with pytest.raises(AuthenticationError, match=f"does not offer .*{missing}"):
            self.joined((client, server))
        assert server.principal is None

    def test_two_legs_only(self, make: Any) -> None:
        """Without DCE style there is no third leg, which proves that the client is present."""
        client, server = make(5, flags=EVERYTHING & ~RequirementFlag.dce_style)
        with pytest.raises(AuthenticationError):
            server.step(client.first())
        assert server.principal is None

    def test_frame_around_the_ticket(self, make: Any) -> None:
        """impacket sends RFC 2743's frame, although DCE style has none."""
        client, server = make(5)
        inner = der.encode(der.OID, KRB5_OID) + b"\1\0" + client.first()
        reply = server.step(der.encode(der.APPLICATION, inner))
        assert server.step(client.next(reply.token)).done

    def test_keytab_without_the_key(self, make: Any, tmp_path: Path) -> None:
        client, _ = make(5)
        server = KerberosAcceptor(
            AuthParameters(AuthLevel.PKT_INTEGRITY, True), f"FILE:{tmp_path}/none"
        )
        with pytest.raises(AuthenticationError, match="export that again"):
            server.step(client.first())

    def test_nobody_before_the_end(self, make: Any) -> None:
        client, server = make(5)
        server.step(client.first())
        with pytest.raises(BadSignature, match="before the client has authenticated"):
            server.verify(pdu(b"early"), bytes(28))
