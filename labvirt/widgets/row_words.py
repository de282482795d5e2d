"""Words of the overview: what it adds to the texts of every view."""

from __future__ import annotations

from typing import Any

from labvirt.status.domain import DomainState, reason_texts
from labvirt.status.filtering import FIELDS, WHY
from labvirt.widgets.row_order import COLUMNS, METRIC_TITLES
from labvirt.widgets.words import WORDS

__all__ = ["ROW_WORDS"]

#: States of domains and of links in words, as they stand in the rows.
STATES = {
    text: text
    for text in (
        *(each.text for each in DomainState), "connected", "lost", "reconnecting", "closed",
    )
}  # fmt: skip
_FILTER_WORDS = (
    "Words must all occur in name, title, description, tags, OS, host, state, address, UUID or "
    "MAC; “two words” in quotation marks are one."
)
_FILTER_TERMS = (
    "field:value, several with commas between them; * stands for any letters; = for the whole "
    "text. cpu>50, mem>=1.5G compare. A minus before a term means: not that."
)
REASONS = {text: text for text in reason_texts()}

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
    "filter": "Filter VMs",
    "filter_tip": "Words, or terms such as state:running tag:web mem>1G -tag:old",
    "filter_help": "Help on filters",
    "completions": "What may come next in the filter",
    "filter_try": "try: {hint}",
    "filter_lines": (_FILTER_WORDS, _FILTER_TERMS),
    "filter_fields": FIELDS,
    "why": WHY,
    "menu": "What can be done to the selected VMs",
    "yes": "yes",
    "states": STATES,
    "reasons": REASONS,
    "inactive": "Inactive",
    "inactive_tip": "Show VMs too that are not running",
    "group": "Group by",
    "group_tip": "Show a heading for each host, state, tag or OS, with its VMs below it",
    "groups": {"host": "host", "state": "state", "tag": "tag", "os": "OS", "none": "nothing"},
    "no_tag": "without a tag",
    "no_os": "OS not known",
    "choose": "Columns",
    "all": "Table",
    "all_tip": "Show the rows as a plain table, for screen readers and for copying",
    "more": "and {count} more",
    "most": "Who uses most",
    "others": "others",
    "none": "nothing (hide)",
    "now": "now",
    "counts": "{active} active, {inactive} inactive",
    "shown": "{shown} of {all} VMs, {selected} selected",
    "sort": "Sort",
    "ascending": "ascending",
    "descending": "descending",
    "live_now": "Live",
    "loading": "Waiting for the first values …",
    "no_domains": "There are no VMs yet.",
    "no_match": "No VM to show: the filter or “Inactive” hides them.",
    "at": "At {at} UTC",
    "moment": "Moment of the recording",
    "row_stalled": ("no answer", "no answer since {at} UTC"),
    "row_stale": ("stale", "stale: no link to its host since {at} UTC"),
    "trouble": "{count} without an answer of their hypervisor process: {names}",
    "overview_help": (
        "Keys: arrows, Page and Home or End move; space selects, Enter opens, Escape selects "
        "nothing; Shift+F10 opens a menu; left and right fold a group. Rows are sorted again every 5 s. Times are UTC."
    ),
}
