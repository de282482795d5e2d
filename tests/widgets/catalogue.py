"""The texts of the views, as they stand in the code; ``python tests/widgets/catalogue.py`` renews
the Russian catalogue: new texts come in empty, those that are gone go, and the .mo is compiled.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

from babel.messages import mofile, pofile
from babel.messages.catalog import Catalog

import labvirt
from labvirt.doctor.catalogue import entries
from labvirt.doctor.explaining import CAUSES
from labvirt.model.domain import DomainSpec
from labvirt.model.editing import edit_specs
from labvirt.model.network import NetworkSpec
from labvirt.model.pool import PoolSpec
from labvirt.model.uri_table import PARAMETERS
from labvirt.model.volume import VolumeSpec
from labvirt.preferences import Preferences
from labvirt.status import DomainState
from labvirt.widgets.forms.fields import fields_of
from labvirt.widgets.i18n import LOCALE
from labvirt.widgets.managing.adding import KINDS
from labvirt.widgets.managing.migrating import MigrationChoice
from labvirt.widgets.managing.restoring import RestoreChoice
from labvirt.widgets.row_words import ROW_WORDS
from labvirt.widgets.words import WORDS

ROOT = Path(labvirt.__file__).parent
FOLDER = LOCALE / "ru" / "LC_MESSAGES"
PO, MO = FOLDER / "labvirt.po", FOLDER / "labvirt.mo"
SPECS = (
    *(DomainSpec, NetworkSpec, PoolSpec, VolumeSpec, Preferences),
    *(MigrationChoice, RestoreChoice),
    *edit_specs(),
    *(each.spec for each in KINDS),
)


def texts_of(path):
    """Yield what a module hands to gettext: a text, or (one, many)."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        if node.func.id in {"_", "N_"} and isinstance(node.args[0], ast.Constant):
            yield node.args[0].value
        elif node.func.id == "ngettext":
            yield node.args[0].value, node.args[1].value


def flat(table):
    """Yield the texts of a table."""
    if isinstance(table, str):
        yield table
    elif isinstance(table, dict):
        for value in table.values():
            yield from flat(value)
    elif isinstance(table, tuple | list):
        for value in table:
            yield from flat(value)


def of_fields(fields):
    """Yield label and help of fields and of those inside."""
    for field in fields:
        yield field.label
        yield field.help
        yield from of_fields(field.inner)
        for _kind, inner in field.variants:
            yield from of_fields(inner)


def texts():
    """Return every text that must have a translation."""
    found = {}
    for path in sorted((ROOT / "widgets").rglob("*.py")):
        found |= dict.fromkeys(texts_of(path))
    found |= dict.fromkeys(flat(WORDS))
    found |= dict.fromkeys(flat(ROW_WORDS))
    for spec in SPECS:
        found |= dict.fromkeys(of_fields(fields_of(spec)))
    found |= dict.fromkeys(each.text for each in PARAMETERS.values())
    found |= dict.fromkeys(state.text for state in DomainState)
    found |= dict.fromkeys(each.cause for each in entries())
    found |= dict.fromkeys(CAUSES.values())
    found.pop("", None)
    return list(found)


def read():
    """Return the catalogue as it is."""
    if not PO.exists():
        return Catalog(locale="ru", project="labvirt", charset="utf-8")
    with PO.open("rb") as file:
        return pofile.read_po(file, locale="ru")


def renew():
    """Bring the catalogue in line with the code; return the texts without a translation."""
    old = read()
    made = Catalog(
        locale="ru",
        project="labvirt",
        charset="utf-8",
        fuzzy=False,
        header_comment="# Russian texts of labvirt's views.",
        last_translator="labvirt",
        language_team="ru",
        msgid_bugs_address="",
        creation_date=old.creation_date,
        revision_date=old.creation_date,
    )
    for text in texts():
        known = old.get(text if isinstance(text, str) else text[0])
        made.add(text, known.string if known else None)
    FOLDER.mkdir(parents=True, exist_ok=True)
    with PO.open("wb") as file:
        pofile.write_po(file, made, width=100, sort_output=True, omit_header=False)
    with MO.open("wb") as file:
        mofile.write_mo(file, read())
    return [each.id for each in made if each.id and not any(flat(each.string))]


if __name__ == "__main__":
    missing = renew()
    for text in missing:
        print(text)
    sys.exit(bool(missing))
