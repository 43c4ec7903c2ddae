"""The whole configuration, including every share's, is read and checked at once."""

from __future__ import annotations

from typing import Any, Mapping, Optional

from fsrvpd.config.load import by_reason, read_configuration, share_options
from fsrvpd.protocol.ports import Share
from fsrvpd.rpc.security.requirement import RequiredProtection
from samba_hooks.configuration import SambaConfiguration


class Registry:
    def __init__(self, given: Mapping[str, str], **shares: Mapping[str, str]) -> None:
        self.options = {"fsrvpd": given, "fss": {}, "fsrvp": {"keep": "yes"}}
        self._shares = {
            name: Share(name, "/srv", False, options=options) for name, options in shares.items()
        }

    def configuration(self) -> SambaConfiguration:
        facts: dict[str, Any] = dict.fromkeys(SambaConfiguration._fields, "")
        return SambaConfiguration(**{**facts, "netbios_name": "NAS", "options": self.options})

    def shares(self) -> list[Share]:
        return [*self._shares.values()]

    def share(self, name: str) -> Optional[Share]:
        return self._shares.get(name)


def registry(given: Mapping[str, str], **shares: Mapping[str, str]) -> Any:
    return Registry(given, **shares)


def test_all_is_well() -> None:
    found = read_configuration(registry({"max sets": "5"}, data={"provider": "btrfs"}))
    assert found.settings.agent.max_sets == 5
    assert found.settings.agent.owner_machine_name == "NAS"
    assert found.warnings == ()


def test_unknown_options_are_warnings() -> None:
    found = read_configuration(registry({"max set": "5"}, data={"kep": "yes"}))
    assert found.warnings == (
        "fsrvpd:max set: no such option; did you mean fsrvpd:max sets?",
        "share data: fsrvp:kep: no such option; did you mean fsrvp:keep?",
    )


def test_a_value_in_global_that_cannot_be_parsed_counts_as_the_default() -> None:
    found = read_configuration(registry({"max sets": "many"}))
    [fault] = found.faults
    assert fault.startswith("smb.conf: fsrvpd:max sets = many: want a whole number")
    assert fault.endswith("fsrvpd starts with `10000` until it is corrected in [global]")
    assert found.settings.agent.max_sets == 10000
    assert found.problems() == found.faults


def test_what_protects_counts_if_it_cannot_be_parsed() -> None:
    given = {"require rpc integrity": "ja", "require rpc privacy": "ja"}
    found = read_configuration(registry(given))
    assert len(found.faults) == 2
    assert found.settings.requirement == RequiredProtection(True, True)


def test_a_share_with_a_mistake_and_one_that_is_refused() -> None:
    given = registry({})
    wrong = Share("wrong", "", False, refusal="of both kinds", mistake="it has no path")
    given._shares = {"fin": Share("fin", "/x", False, refusal="a printer"), "wrong": wrong}
    found = read_configuration(given)
    assert found.refused == {"fin": "a printer"}
    assert found.mistakes == {"wrong": "it has no path"}
    assert found.problems() == ("share wrong: it has no path",)


def test_the_options_of_a_share_that_is_gone_are_those_of_global() -> None:
    known = registry({}, data={"keep": "no"})
    assert share_options(known, "data") == {"keep": "no"}
    assert share_options(known, "gone") == {"keep": "yes"}


def test_what_concerns_many_shares_is_one_sentence() -> None:
    """With 10,000 shares, nobody would read 10,000 lines in the log."""
    given = registry({})
    given.options["fsrvp"]["kep"] = "yes"
    names = [f"user{number:05}" for number in range(10_000)]
    given._shares = {
        name: Share(name, "/x", False, mistake="want yes or no", options={"kep": "yes", "kip": "1"})
        for name in names
    }
    many = "shares user00000, user00001, user00002 and 9,997 more"
    assert read_configuration(given).problems() == (
        "fsrvp:kep: no such option; did you mean fsrvp:keep?",
        f"{many}: fsrvp:kip: no such option; did you mean fsrvp:keep?",
        f"{many}: want yes or no",
    )
    assert [*by_reason({"a": "x", "b": "x", "c": "y"})] == [
        ("shares a and b", "x"),
        ("share c", "y"),
    ]
