"""The words of a message: options first, then names."""

from __future__ import annotations

import pytest

from fsrvpd.daemon.control.parameters import Parameters
from fsrvpd.errors import FsrvpdError

USAGE = "create SHARE... [--keep] [--context=NAME]"


def read(*words: str) -> Parameters:
    return Parameters.read(words, USAGE, flags=["keep"], values=["context"])


def test_options_and_names() -> None:
    given = read("--context=a=b", "--keep", "data", "--late")
    assert given.flags == {"keep"}
    assert given.values == {"context": "a=b"}
    assert given.names == ("data", "--late")
    assert read("--", "--keep").names == ("--keep",)
    assert read("data").only_name() == "data"


@pytest.mark.parametrize("word", ["--kept", "--keep=yes", "--context", "--context-x=1"])
def test_another_option_is_refused_with_the_usage(word: str) -> None:
    with pytest.raises(FsrvpdError, match=f"^{word}: no such option; usage: create SHARE"):
        read(word, "data")


def test_a_message_for_one_name_takes_no_other_number() -> None:
    for words in ((), ("a", "b")):
        with pytest.raises(FsrvpdError, match=r"^usage: create SHARE"):
            read(*words).only_name()
