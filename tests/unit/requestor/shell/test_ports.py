"""fsrvpd/requestor/shell/ports.py"""

from __future__ import annotations

from fsrvpd.requestor.shell.ports import Writer


def test_a_writer_has_a_name_and_an_id() -> None:
    writer = Writer("{66841cd4-6ded-4f4b-8f17-fd23f8ddc3de}", "Guests", ("web", "Mail"))
    assert writer.called("GUESTS") == ("web", "Mail")
    assert writer.called("{66841CD4-6DED-4F4B-8F17-FD23F8DDC3DE}") == ("web", "Mail")
    assert writer.called("mail") == ("Mail",)
    assert writer.called("") is None
