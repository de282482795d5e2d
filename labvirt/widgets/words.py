"""Words: every text that a view shows, in one table, so that it can be translated in one place."""

from __future__ import annotations

__all__ = ["WORDS"]

#: By key; braces hold what the view fills in. Views get the table with each snapshot.
WORDS: dict[str, str] = {
    "board": "Charts",
    "toolbar": "Charts",
    "pause": "Pause",
    "resume": "Resume",
    "pause_tip": "Let the picture stand, or go on (space). Values are kept meanwhile.",
    "window": "Time shown",
    "window_tip": "Show the last {minutes} min",
    "minutes": "last {minutes} min",
    "range": "{minutes} min",
    "reset": "Reset zoom",
    "reset_tip": "Show the newest values again (0)",
    "table": "Table",
    "table_tip": "Show the numbers as a table (t)",
    "csv_tip": "Save what is in this view as comma-separated values; times are UTC",
    "panel": "Chart",
    "line": "Line",
    "newest": "Newest",
    "least": "Min",
    "mean": "Mean",
    "most": "Max",
    "toggle": "Click: show or hide. Shift and click: this one alone.",
    "described": "{title}, chart of the {window}. {values}",
    "help": (
        "Drag over a chart to zoom. Keys: arrows move the cursor (Shift: by ten), + and - zoom, "
        "0 resets, space pauses, t shows the table, Escape hides the cursor. Times are UTC."
    ),
    "cursor": "at",
    "zone": "UTC",
    "live": "Live, {at} UTC",
    "paused": "Paused at {at} UTC",
    "held": "Paused from the notebook",
    "zoomed": "Zoomed; values go on",
    "stale": "No new values since {at} UTC",
    "nothing": "No values yet",
    "lost": "Disconnected: the kernel gives no answer since {at} UTC",
    "closed": "Closed",
    "stalled": (
        "{name}: its hypervisor process gives no answer since {at} UTC; its disks and memory use "
        "are not known."
    ),
    "no_plotly": "plotly.js cannot be loaded ({why}); these charts are drawn without it.",
    "replay": "Recording",
    "play": "Play",
    "stop": "Stop",
    "speed": "Speed",
    "position": "Time in the recording",
}
