"""The doctor's view and an exercise in a real JupyterLab: from broken to mended, in both languages."""

from __future__ import annotations

import os
import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from hands import Keys, Mouse

pytestmark = pytest.mark.lab

LAB = """
lv.ui.set_language("en")
lab = lv.Lab.start({name!r}, hosts=1, backend="session", ephemeral=True)
alpha, view, lesson = lab["alpha"], None, None
print(alpha.state)
"""
END = """
for each in (view, lesson):
    if each is not None:
        each.close()
lv.ui.set_language("en")
lab.stop()
"""
DOCTOR = """
lv.ui.set_language({language!r})
alpha.pools["default"].stop()
view = lv.ui.doctor(alpha)
view
"""
EXERCISE = """
lv.ui.set_language({language!r})
task = lab.exercise("sleeping-pool", student={student!r}, language={language!r})
lesson = lv.ui.exercise(task)
lesson
"""
WORDS = {
    "en": {"again": "Run again", "apply": "Apply", "start": "Start", "hint": "Hint", "check": "Check",
           "no": "Not solved", "yes": "Solved", "only": "fails"},
    "ru": {"again": "Проверить снова", "apply": "Применить", "start": "Запустить", "hint": "Подсказка",
           "check": "Проверить", "no": "Ещё не решено", "yes": "Решено", "only": "неполадка"},
}  # fmt: skip


@pytest.fixture(scope="module")
def kernel(jupyter):
    book = jupyter.open("doctor", "import labvirt as lv")
    try:
        yield book
        assert jupyter.faults == []
    finally:
        book.close()


@pytest.fixture
def book(kernel, request):
    """A lab of its own for each test: what one leaves broken does not trouble the next."""
    number = request.session.items.index(request.node)
    name = f"doc-{os.getpid()}-{number}"
    assert kernel.ask(LAB.format(name=name), timeout_s=90).strip() == "connected"
    try:
        yield kernel
        assert kernel.errors == []
    finally:
        kernel.ask(END, timeout_s=90)


def look_at(jupyter, name, area):
    """Keep pictures in both themes, wide and narrow; nothing sticks out, and axe has no word."""
    faults = []
    for dark in (False, True):
        jupyter.theme(dark=dark)
        for width in (1400, 700):
            shade = "dark" if dark else "light"
            faults += jupyter.tall(f"{name}-{shade}-{width}", area, width)
        found = Axe().run(jupyter.page).response["violations"]
        faults += [
            (each["id"], node["html"][:200])
            for each in found
            if each["impact"] in {"serious", "critical"}
            for node in each["nodes"]
            if "labvirt" in area.get_attribute("class") and "lv-" in node["html"]
        ]
    jupyter.theme(dark=False)
    assert not faults, faults


@pytest.mark.slow(seconds=20)
@pytest.mark.parametrize(("language", "hands"), [("en", Mouse), ("ru", Keys)])
def test_a_fault_is_found_and_mended(book, jupyter, language, hands):
    words = WORDS[language]
    book.cell(DOCTOR.format(language=language))
    area = book.page.locator(".labvirt-doctor").last
    area.locator(".lv-doctor[data-running=false]").wait_for(timeout=60_000)
    finding = area.locator("[data-finding='storage.active:default']")
    finding.wait_for()
    assert finding.get_attribute("data-verdict") in {"fail", "warning"}
    look_at(jupyter, f"doctor-{language}", area)
    hand = hands(book.page)
    if hands is Keys:
        hand.to(area.locator("[data-do=again]"))
    hand.press(area.locator("[data-verdict=ok]").first)
    area.locator(".lv-found").wait_for()
    assert area.locator(".lv-finding[data-verdict=ok]").count() > 10
    assert area.locator(".lv-finding[data-verdict=fail]").count() == 0
    hand.press(area.locator(".lv-chips [data-verdict=ok]"))
    hand.fill(area.locator("input[type=search]"), "storage.active")
    shown = area.locator(".lv-finding").count()
    assert 0 < shown < 15
    assert area.locator(".lv-found").get_attribute("data-shown") == str(shown)
    hand.press(finding.locator("[data-fix]"))
    apply = area.locator(".labvirt-deed").get_by_role("button", name=words["apply"], exact=True)
    apply.wait_for()
    look_at(jupyter, f"doctor-plan-{language}", area)
    hand.press(apply)
    area.locator("[data-finding='storage.active:default'][data-verdict=ok]").wait_for(
        timeout=60_000
    )
    book.until("alpha.pools['default'].info().is_active", "True", 60)
    assert area.locator(".lv-doctor").get_attribute("lang") == language
    assert words["again"] in area.inner_text()
    # What somebody does meanwhile makes it stale.
    book.ask("alpha.pools['default'].stop()")
    area.locator(".lv-doctor[data-stale=true]").wait_for(timeout=60_000)
    jupyter.tall(f"doctor-stale-{language}", area)
    book.ask("alpha.pools['default'].start(); view.close()")


@pytest.mark.slow(seconds=5)
def test_what_is_running_can_be_broken_off_and_what_failed_is_said(book, jupyter):
    book.cell(
        "lv.ui.set_language('en')\n"
        "import threading, labvirt.widgets.doctoring.rounds as rounds\n"
        "real, gate = rounds.doctor.examine, threading.Event()\n"
        "def slow(host, *, progress, **options):\n"
        "    report = real(host, progress=progress, **options)\n"
        "    gate.wait(120)\n"
        "    return report\n"
        "rounds.doctor.examine = slow\n"
        "view = lv.ui.doctor(alpha)\n"
        "view"
    )
    area = book.page.locator(".labvirt-doctor").last
    area.locator("[data-do=cancel]").wait_for()
    area.locator(".lv-step").get_by_text(re.compile(r"\d+ of \d+")).wait_for(timeout=60_000)
    jupyter.tall("doctor-running", area)
    area.locator("[data-do=cancel]").click()
    area.get_by_text("Broken off after").wait_for()
    book.ask("gate.set(); rounds.doctor.examine = real; view.close()")
    book.cell("view = lv.ui.doctor('qemu+unix:///session?socket=/nowhere/sock'); view")
    area = book.page.locator(".labvirt-doctor").last
    area.locator(".lv-finding[data-verdict=fail]").first.wait_for(timeout=60_000)
    jupyter.tall("doctor-error", area)
    book.ask("view.close()")
    book.cell("view = lv.ui.doctor(lv.doctor.Report('nothing', ())); view")
    area = book.page.locator(".labvirt-doctor").last
    area.get_by_text("Nothing was found").wait_for()
    jupyter.tall("doctor-empty", area)
    book.ask("view.close()")


@pytest.mark.slow(seconds=20)
@pytest.mark.parametrize(("language", "hands"), [("en", Keys), ("ru", Mouse)])
def test_an_exercise_from_broken_to_mended(book, jupyter, language, hands):
    words = WORDS[language]
    book.cell(EXERCISE.format(language=language, student=f"ann-{language}"))
    area = book.page.locator(".labvirt-exercise").last
    buttons = area.locator("button.jupyter-button:visible")
    buttons.first.wait_for()
    hand = hands(book.page)
    if hands is Keys:
        # The keyboard comes from the cell's output.
        buttons.first.focus()
    try:
        hand.press(buttons.nth(0))
        book.until("task.has_begun and not lesson._busy", "True", 60)
        hand.press(area.get_by_role("button", name=words["check"], exact=True))
        area.get_by_text(words["no"]).first.wait_for(timeout=60_000)
        hand.press(area.get_by_role("button", name=words["hint"], exact=True))
        area.locator("ol li").first.wait_for()
        look_at(jupyter, f"exercise-{language}", area)
        book.ask("task.solve()", 60)
        hand.press(area.get_by_role("button", name=words["check"], exact=True))
        area.get_by_text(re.compile("✔ " + words["yes"])).first.wait_for(timeout=60_000)
        look_at(jupyter, f"exercise-solved-{language}", area)
        assert book.ask("print(lesson.result.passed)").strip() == "True"
    finally:
        book.ask("lesson.close(); task.end()", 60)
