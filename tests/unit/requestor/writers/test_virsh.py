"""What virsh is told, and what its answers mean."""

from __future__ import annotations

from typing import Any, Callable, Optional, Sequence, Union

import pytest

from fsrvpd.requestor.writers import virsh
from fsrvpd.requestor.writers.agent import AgentFailure, GuestGone, NoAnswer
from fsrvpd.requestor.writers.virsh import Virsh
from fsrvpd.run_command import CommandFailed, Output

FROZEN, THAWED = '{"return":"frozen"}\n', '{"return":"thawed"}\n'
UUID = "4dea22b3-1d52-d8f3-2516-782e98ab3fa0"
Answer = Union[str, Callable[[Sequence[str]], CommandFailed]]


def fails(status: Optional[int]) -> Callable[[Sequence[str]], CommandFailed]:
    return lambda argv: CommandFailed(argv, "virsh failed: error: no", status=status)


class FakeVirsh:
    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.argv: list[Sequence[str]] = []

    def __call__(self, argv: Sequence[str], **options: Any) -> Output:
        self.argv.append(argv)
        assert options["timeout"] > 0
        assert "LIBVIRT_DEFAULT_URI" not in options["environment"]
        answer = self.answers.pop(0)
        if isinstance(answer, str):
            return Output(answer, "")
        raise answer(argv)

    @property
    def commands(self) -> list[str]:
        return [argv[3] for argv in self.argv]


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Callable[..., FakeVirsh]:
    def say(*answers: Answer) -> FakeVirsh:
        fake = FakeVirsh(*answers)
        monkeypatch.setattr(virsh, "run", fake)
        return fake

    return say


def test_frozen_and_thawed(said: Callable[..., FakeVirsh]) -> None:
    fake = said(THAWED, "Froze 2 filesystem(s)\n", FROZEN, "Thawed 2 filesystem(s)\n", THAWED)
    guest = Virsh("-web", "qemu:///session")
    guest.prepare(5)
    assert guest.freeze(5) == 2
    guest.thaw(5)
    guest.close()
    status = "qemu-agent-command"
    assert fake.commands == [status, "domfsfreeze", status, "domfsthaw", status]
    begin = ["virsh", "--connect", "qemu:///session"]
    assert fake.argv[1] == [*begin, "domfsfreeze", "--domain", "-web"]
    assert fake.argv[0][-1] == '{"execute": "guest-fsfreeze-status"}'


def test_zero_is_told(said: Callable[..., FakeVirsh]) -> None:
    said("Froze 0 filesystem(s)\n")
    assert Virsh("web").freeze(5) == 0


def test_what_is_frozen_already(said: Callable[..., FakeVirsh]) -> None:
    said(FROZEN)
    with pytest.raises(AgentFailure, match="frozen already"):
        Virsh("web").prepare(5)


@pytest.mark.parametrize("answers", [("\n",), ("[]",), ("{}",), (THAWED[:5],)])
def test_what_is_no_answer(said: Callable[..., FakeVirsh], answers: Sequence[str]) -> None:
    said(*answers)
    with pytest.raises(AgentFailure, match="answered"):
        Virsh("web").thaw(5)
    said(*answers)
    with pytest.raises(AgentFailure, match="says no number"):
        Virsh("web").freeze(5)


def test_one_that_stays_frozen(said: Callable[..., FakeVirsh]) -> None:
    said(FROZEN, "Thawed 0 filesystem(s)\n", FROZEN)
    with pytest.raises(AgentFailure, match="says frozen after virsh domfsthaw"):
        Virsh("web").thaw(5)


@pytest.mark.parametrize("domain", ["web", UUID])
def test_a_domain_that_is_off_is_gone_one_that_is_paused_is_not(
    said: Callable[..., FakeVirsh], domain: str
) -> None:
    fake = said(fails(1), "11111111-1d52-d8f3-2516-782e98ab3fa0 other\n\n")
    with pytest.raises(GuestGone, match="does not run"):
        Virsh(domain).thaw(5)
    assert fake.argv[1][3:] == ["list", "--name", "--uuid"]
    said(fails(1), f"{UUID} web\n")
    with pytest.raises(AgentFailure, match="error: no") as raised:
        Virsh(domain).thaw(5)
    assert not isinstance(raised.value, GuestGone)


@pytest.mark.parametrize("domain", ["my web", UUID.upper(), "7"])
def test_one_that_runs_is_not_gone_however_it_is_called(
    said: Callable[..., FakeVirsh], domain: str
) -> None:
    said(fails(1), f"{UUID} my web                         \n")
    with pytest.raises(AgentFailure) as raised:
        Virsh(domain).thaw(5)
    assert not isinstance(raised.value, GuestGone)


@pytest.mark.parametrize("answers", [(fails(None),), (fails(1), fails(1))])
def test_libvirt_that_does_not_answer_says_nothing_of_the_guest(
    said: Callable[..., FakeVirsh], answers: Sequence[Answer]
) -> None:
    said(*answers)
    with pytest.raises(AgentFailure) as raised:
        Virsh("web").freeze(5)
    assert not isinstance(raised.value, GuestGone)


@pytest.mark.parametrize("status", [None, -9])
def test_whatever_virsh_that_was_killed_had_asked_for_may_still_be_done(
    said: Callable[..., FakeVirsh], status: Optional[int]
) -> None:
    said(fails(status), f"{UUID} web\n")
    with pytest.raises(NoAnswer):
        Virsh("web").freeze(5)
    said(fails(1), f"{UUID} web\n")
    with pytest.raises(AgentFailure) as raised:
        Virsh("web").freeze(5)
    assert not isinstance(raised.value, NoAnswer)
