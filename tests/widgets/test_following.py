"""A domain that moves is told by one host at a time, as of its home."""

from __future__ import annotations

import numpy as np

from labvirt.status.sample import Sample, Subject, Table
from labvirt.status.series import series_of
from labvirt.widgets.following import Follower


def sample(host, number, *uuids, value=1.0):
    subjects = tuple(Subject(host, uuid) for uuid in uuids)
    values = np.full((len(uuids), len(series_of("domain"))), value)
    names = {uuid: uuid for uuid in uuids}
    return Sample(
        host, number, float(number), 1.0, {"domain": Table("domain", subjects, values)}, names
    )


def told(follower, latest, new):
    made = follower.told(new, latest)
    latest[new.host] = made
    return made.tables["domain"].subjects


def test_it_is_told_by_the_host_it_was_on_until_that_has_it_no_more():
    follower, latest = Follower({"u": "alpha"}), {}
    home = Subject("alpha", "u")
    assert told(follower, latest, sample("alpha", 1, "u", "v")) == (home, Subject("alpha", "v"))
    assert told(follower, latest, sample("beta", 1, "u")) == ()
    assert told(follower, latest, sample("alpha", 2, "u", "v"))[0] == home
    assert told(follower, latest, sample("beta", 2, "u")) == ()
    assert told(follower, latest, sample("alpha", 3, "v")) == (Subject("alpha", "v"),)
    assert told(follower, latest, sample("beta", 3, "u")) == (home,)
    # And home again: beta has it still when alpha begins to receive it.
    assert told(follower, latest, sample("alpha", 4, "u", "v")) == (Subject("alpha", "v"),)
    assert told(follower, latest, sample("beta", 4, "u")) == (home,)
    assert told(follower, latest, sample("beta", 5)) == ()
    assert told(follower, latest, sample("alpha", 5, "u", "v"))[0] == home


def test_the_same_rows_are_the_same_tuple():
    follower = Follower({"u": "alpha"})
    first = sample("alpha", 1, "u")
    again = Sample("alpha", 2, 2.0, 1.0, first.tables, first.names)
    one, two = (follower.told(each, {}).tables["domain"].subjects for each in (first, again))
    assert one is two


def test_who_is_on_no_host_is_missing():
    follower = Follower({"u": "alpha", "w": "beta"})
    assert follower.missing([sample("alpha", 1, "v"), sample("beta", 1, "w")]) == ["u"]
