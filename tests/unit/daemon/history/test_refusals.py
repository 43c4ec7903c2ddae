"""The last refusals are few, and nobody hides another's."""

from __future__ import annotations

from fsrvpd.daemon.history.refusals import MOST, MOST_OF_ACCOUNT, LastRefusals, of_event
from fsrvpd.daemon.log.events import BY_NAME
from fsrvpd.store.history_records import RefusalRecord


def refusal(account: str, share: str = "data", moment: float = 1.0) -> RefusalRecord:
    fields = {"account": account, "client": "192.0.2.1", "share": share, "reason": "no"}
    return of_event(BY_NAME["call-refused"], "next: try again", fields, moment)


def test_those_that_say_the_same_are_counted() -> None:
    last = LastRefusals()
    for moment in (1.0, 2.0, 5.0):
        last.add(refusal("a", moment=moment))
    last.add(refusal("b"))
    first, other = last.all()
    assert (first.first, first.last, first.times) == (1.0, 5.0, 3)
    assert (first.reason, first.next_step) == ("no", "try again")
    assert other.account == "b"


def test_an_account_hides_no_other() -> None:
    last = LastRefusals()
    last.add(refusal("victim"))
    for account in range(5):
        for number in range(1000):
            last.add(refusal(f"attacker{account}", f"share{number}"))
    accounts = [each.account for each in last.all()]
    assert accounts.count("victim") == 1
    assert accounts.count("attacker0") == MOST_OF_ACCOUNT
    assert last.all()[-1].share == "share999"


def test_many_accounts_have_so_many() -> None:
    last = LastRefusals()
    for number in range(3 * MOST):
        last.add(refusal(f"account{number}"))
    assert len(last.all()) == MOST


def test_earlier_ones_come_first() -> None:
    last = LastRefusals()
    last.add(refusal("a", moment=9.0))
    last.resume([refusal("b", moment=1.0), refusal("a", moment=2.0)])
    assert [(each.account, each.times) for each in last.all()] == [("b", 1), ("a", 2)]
    assert last.all()[-1].first == 2.0


def test_an_event_without_an_account_names_the_user() -> None:
    fields = {"message": "create", "uid": 1000}
    found = of_event(BY_NAME["shell-snap-refused"], "no such share", fields, 1.0)
    assert (found.account, found.method, found.reason) == ("uid 1000", "create", "no such share")
