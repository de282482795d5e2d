"""Key codes: the numbers of keys for `send_key`, by their Linux names.

From ``linux/input-event-codes.h`` of the kernel's user API; only keys that a keyboard has.
"""

from __future__ import annotations

import libvirt

__all__ = ["CODESETS", "KEYCODES"]

#: Sets of key numbers that libvirt knows.
CODESETS: dict[str, int] = {
    name.lower().replace("_", "-"): getattr(libvirt, f"VIR_KEYCODE_SET_{name}")
    for name in (
        "LINUX", "XT", "ATSET1", "ATSET2", "ATSET3", "OSX", "XT_KBD", "USB", "WIN32", "QNUM",
    )
    if hasattr(libvirt, f"VIR_KEYCODE_SET_{name}")
}  # fmt: skip

# Runs of keys with consecutive numbers: the first number, then the names.
_RUNS: tuple[tuple[int, str], ...] = (
    (1, "ESC 1 2 3 4 5 6 7 8 9 0 MINUS EQUAL BACKSPACE TAB"),
    (16, "Q W E R T Y U I O P LEFTBRACE RIGHTBRACE ENTER LEFTCTRL"),
    (30, "A S D F G H J K L SEMICOLON APOSTROPHE GRAVE LEFTSHIFT BACKSLASH"),
    (44, "Z X C V B N M COMMA DOT SLASH RIGHTSHIFT KPASTERISK LEFTALT SPACE CAPSLOCK"),
    (59, "F1 F2 F3 F4 F5 F6 F7 F8 F9 F10 NUMLOCK SCROLLLOCK"),
    (71, "KP7 KP8 KP9 KPMINUS KP4 KP5 KP6 KPPLUS KP1 KP2 KP3 KP0 KPDOT"),
    (85, "ZENKAKUHANKAKU 102ND F11 F12 RO KATAKANA HIRAGANA HENKAN KATAKANAHIRAGANA MUHENKAN"),
    (95, "KPJPCOMMA KPENTER RIGHTCTRL KPSLASH SYSRQ RIGHTALT LINEFEED"),
    (102, "HOME UP PAGEUP LEFT RIGHT END DOWN PAGEDOWN INSERT DELETE MACRO MUTE"),
    (114, "VOLUMEDOWN VOLUMEUP POWER KPEQUAL KPPLUSMINUS PAUSE SCALE KPCOMMA"),
    (122, "HANGEUL HANJA YEN LEFTMETA RIGHTMETA COMPOSE STOP AGAIN PROPS UNDO FRONT COPY"),
    (134, "OPEN PASTE FIND CUT HELP MENU CALC SETUP SLEEP WAKEUP"),
    (183, "F13 F14 F15 F16 F17 F18 F19 F20 F21 F22 F23 F24"),
)

#: Linux name of a key, e.g. ``KEY_LEFTCTRL``, to its number in the ``linux`` codeset.
KEYCODES: dict[str, int] = {
    f"KEY_{name}": first + offset
    for first, names in _RUNS
    for offset, name in enumerate(names.split())
}
