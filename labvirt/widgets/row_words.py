"""Words of the overview: what it adds to the texts of every view."""

from __future__ import annotations

from typing import Any

from labvirt.widgets.row_order import COLUMNS, METRIC_TITLES
from labvirt.widgets.words import WORDS

__all__ = ["ROW_WORDS"]

#: Texts by key; braces hold what the view fills in.
ROW_WORDS: dict[str, Any] = {
    **WORDS,
    "toolbar": "Overview",
    "columns": COLUMNS,
    "metrics": METRIC_TITLES,
    "parts": {
        "cpu": "CPU",
        "memory": "memory",
        "read": "read",
        "write": "written",
        "rx": "received",
        "tx": "sent",
    },
    "filter": "Filter domains",
    "filter_tip": "Words that must occur in name, status, host, tags or UUID",
    "inactive": "Inactive",
    "inactive_tip": "Show domains too that are not running",
    "group": "By host",
    "group_tip": "Show a row for each host, with its domains below it",
    "choose": "Columns",
    "all": "Table",
    "all_tip": "Show the rows as a plain table, for screen readers and for copying",
    "more": "and {count} more",
    "most": "Who uses most",
    "others": "others",
    "none": "nothing (hide)",
    "now": "now",
    "counts": "{active} active, {inactive} inactive",
    "shown": "{shown} of {all} domains, {selected} selected",
    "sort": "Sort",
    "ascending": "ascending",
    "descending": "descending",
    "live_now": "Live",
    "loading": "Waiting for the first values …",
    "no_domains": "This host has no domains.",
    "no_match": "No domain to show: the filter or “Inactive” hides them.",
    "at": "At {at} UTC",
    "moment": "Moment of the recording",
    "row_stalled": ("no answer", "no answer since {at} UTC"),
    "row_stale": ("stale", "stale: no link to its host since {at} UTC"),
    "trouble": "{count} without an answer of their hypervisor process: {names}",
    "overview_help": (
        "Keys: arrows, Page and Home or End move; space selects, Enter opens, Escape selects "
        "nothing; left and right fold a host. Rows are sorted again every 5 s. Times are UTC."
    ),
}
