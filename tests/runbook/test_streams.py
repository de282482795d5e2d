"""The streams of a cell put together: the same as by nbclient, in a time that can be waited for."""

from __future__ import annotations

import itertools
import re
import time

from hypothesis import given
from hypothesis import strategies as st
from nbformat.v4 import new_output

from labvirt.runbook.streams import join_streams

PARTS = st.tuples(st.sampled_from(["stdout", "stderr", ""]), st.text("ab\r\n", max_size=8))


def outputs_of(parts):
    return [
        new_output("stream", name=name, text=text) if name else new_output("display_data")
        for name, text in parts
    ]


@given(st.lists(PARTS, max_size=6))
def test_streams_are_joined_as_nbclient_joins_them(parts):
    joined = join_streams(outputs_of(parts))
    for name in ("stdout", "stderr"):
        text = "".join(text for stream, text in parts if stream == name)
        found = [one.text for one in joined if one.output_type == "stream" and one.name == name]
        assert found == ([re.sub(r".*\r(?=[^\n])", "", text)] if name in dict(parts) else [])
    assert sum(one.output_type != "stream" for one in joined) == sum(not n for n, _ in parts)
    kinds = [one.get("name", "") for one in joined]
    assert not any(pair == ("stderr", "stdout") for pair in itertools.pairwise(kinds))


def test_a_long_line_takes_no_longer_than_many_short_ones():
    began = time.monotonic()
    (one,) = join_streams(outputs_of([("stdout", "y" * 4_000_000), ("stdout", "\rz")]))
    assert one.text == "z"
    assert time.monotonic() - began < 2
