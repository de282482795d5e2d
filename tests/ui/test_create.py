"""Creating a VM by the form in a real JupyterLab, on a real lab: by mouse, and by keyboard only."""

from __future__ import annotations

import os
import re

import pytest

pytestmark = pytest.mark.lab

HEAD = f"""
import labvirt as lv
lab = lv.Lab.start("uic-{os.getpid()}", hosts=1, backend="session", ephemeral=True)
alpha = lab.hosts[0]
"""
SHOW = """
form = lv.ui.create(alpha)
form
"""
EVIL = "<img src=x onerror='window.hurt = 1'>"


@pytest.fixture(scope="module")
def book(jupyter):
    book = jupyter.open("create", HEAD, SHOW)
    try:
        yield book
        assert book.errors == []
        assert jupyter.faults == []
    finally:
        book.ask("form.close(); lab.stop()", timeout_s=60)
        book.close()


@pytest.fixture
def form(book):
    """The form, empty."""
    book.wait("() => document.querySelector('[data-lv=ready] .lv-form h3')")
    book.ask("form.clear(); form.set('@open', False)")
    book.wait("() => document.querySelector('[data-path=name] input').value === ''")
    return book.boards.first


def state(book, name, wanted, timeout_s=30):
    book.wait(f"() => document.querySelector('[data-lv]').dataset.{name} === {wanted!r}", timeout_s)


def wrong(form):
    return form.evaluate(
        """el => Object.fromEntries([...el.querySelectorAll('[data-path] .lv-error')]
          .filter((e) => e.textContent)
          .map((e) => [e.closest('[data-path]').dataset.path, e.textContent]))"""
    )


def control(form, path):
    return form.locator(f"[data-path='{path}'] :is(input, select, textarea)").first


def cells(book):
    """What stands in the cells of the notebook."""
    return book.page.evaluate(
        """() => jupyterapp.shell.currentWidget.content.model.sharedModel.cells
          .map((cell) => cell.getSource())"""
    )


def no_serious_fault(book):
    """Let axe look at the forms."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(book.page, context="[data-lv]").response["violations"]
    serious = [each for each in found if each["impact"] in {"serious", "critical"}]
    assert not serious, [(each["id"], [n["html"] for n in each["nodes"]][:3]) for each in serious]


def made(book):
    return book.ask("print([d.name for d in alpha.domains if d.is_active])").strip()


def whole(jupyter, name, width=1000):
    """Keep a picture of the whole form, which is higher than the window."""
    page = jupyter.page
    high = page.locator(".lv-form").first.evaluate("el => el.scrollHeight")
    page.set_viewport_size({"width": width, "height": int(high) + 400})
    page.locator(".lv-form").first.scroll_into_view_if_needed()
    jupyter.picture(name, page.locator(".lv-form").first)
    page.set_viewport_size({"width": 1280, "height": 1000})


def overflowing(form):
    """Texts that do not fit into their element, and elements that stick out of the form."""
    return form.evaluate(
        """el => {
          const box = el.querySelector('.lv-form').getBoundingClientRect();
          return [...el.querySelectorAll('.lv-form *')].filter((e) => {
            const own = e.getBoundingClientRect();
            if (!own.width || !e.checkVisibility()) return false;
            if (e.closest('pre, datalist, option')) return false;
            return own.right > box.right + 1 || own.left < box.left - 1;
          }).map((e) => e.outerHTML.slice(0, 120));
        }"""
    )


def test_a_vm_is_made_by_mouse_and_two_clicks_make_one(book, form, jupyter):
    form.get_by_role("button", name="Tiny guest").click()
    book.wait("() => document.querySelector('[data-path=memory] input').value === '128 MiB'")
    form.get_by_role("button", name="Create VM").click()
    book.wait("() => document.activeElement?.closest('[data-path]')?.dataset.path === 'name'")
    assert "missing" in wrong(form)["name"]
    field = control(form, "name")
    assert field.get_attribute("aria-invalid") == "true"
    told = field.get_attribute("aria-describedby").split()[0]
    assert "missing" in form.locator(f"[id='{told}']").inner_text()
    field.fill("web1")
    state(book, "preview", "ready")
    assert wrong(form) == {}
    steps = form.get_by_role("list", name="Steps").get_by_role("listitem").all_inner_texts()
    assert steps == ["define domain web1", "start domain web1"]
    form.get_by_role("tab", name="Python").click()
    assert "DomainSpec(name='web1'" in form.get_by_role("tabpanel").inner_text()
    form.get_by_role("button", name="Copy").click()
    form.get_by_role("tabpanel").get_by_text("Copied", exact=True).wait_for()
    whole(jupyter, "create-ready")
    assert "yes, but mind" in form.locator(".lv-badge").inner_text()
    form.get_by_role("button", name="Insert as cell").click()
    form.get_by_role("tabpanel").get_by_text("A new cell below has it").wait_for()
    assert cells(book)[2].startswith("import labvirt as lv\n\nlv.Lab.attach(")
    assert "DomainSpec(name='web1'" in cells(book)[2]
    assert made(book) == "[]", "it is not run"
    form.get_by_label("Open its console when it is made").check()
    form.get_by_role("button", name="Create VM").dblclick()
    state(book, "phase", "done")
    assert "Made: web1" in form.inner_text()
    console = book.page.locator(".xterm")
    console.wait_for()
    book.page.get_by_text("web1:~#").wait_for(timeout=90_000)
    plan = form.locator(".lv-plan")
    assert "exists already" not in plan.inner_text()
    jupyter.picture("create-console")
    book.page.get_by_role("button", name="Close", exact=True).click()
    console.wait_for(state="detached")
    assert form.get_by_role("button", name="Create VM").is_disabled()
    assert made(book) == "['web1']"
    control(form, "title").fill("a title")
    state(book, "preview", "failed")
    form.get_by_text("web1 exists already on alpha; web2 is free").wait_for()
    assert "web1 exists already" in form.locator(".lv-plan").inner_text()


def test_a_vm_is_made_step_by_step_by_keyboard_only(book, form, jupyter):
    keyboard = book.page.keyboard

    def at():
        return book.page.evaluate(
            """() => {
              const el = document.activeElement;
              return el.dataset.do ?? el.closest('[data-path]')?.dataset.path ?? el.textContent;
            }"""
        )

    def to(wanted, key="Tab"):
        for _ in range(60):
            if at() == wanted:
                return
            keyboard.press(key)
        raise AssertionError(f"{wanted} is not reached by {key}; at {at()}")

    # From the heading on nothing but keys.
    book.page.evaluate("() => document.querySelector('[data-do=wizard]').focus()")
    keyboard.press("Enter")
    to("preset-tiny")
    keyboard.press("Space")
    book.wait("() => document.querySelector('[data-path=memory] input').value === '128 MiB'")
    to("name")
    keyboard.type("kbd1")
    to("next")
    keyboard.press("Enter")
    assert at() == "source"
    jupyter.picture("create-wizard", book.page.locator(".lv-form").first)
    to("next")
    for _ in range(8):
        if book.page.locator("[data-do=make]").is_visible():
            break
        keyboard.press("Enter")
        to("next") if not book.page.locator("[data-do=make]").is_visible() else None
    state(book, "preview", "ready")
    to("make")
    keyboard.press("Enter")
    state(book, "phase", "done")
    assert "'kbd1'" in made(book)
    assert book.page.evaluate("() => document.querySelectorAll('.jp-Cell').length") == 3
    book.page.evaluate("() => document.querySelector('[data-do=wizard]').focus()")
    keyboard.press("Enter")


def test_what_is_typed_is_never_interpreted(book, form):
    for path in ("name", "title", "tags", "memory", "vcpus", "boot"):
        control(form, path).fill(EVIL)
    control(form, "description").fill(EVIL + "</textarea>")
    book.wait(
        "() => ['name', 'memory', 'vcpus', 'boot', 'tags'].every((path) =>"
        " document.querySelector(`[data-path='${path}'] .lv-error`)?.textContent)"
    )
    said = wrong(form)
    assert {"name", "memory", "vcpus", "boot", "tags"} <= set(said)
    assert "title" not in said
    assert not book.page.evaluate("() => 'hurt' in window")
    assert form.locator("img").count() == 0
    assert control(form, "title").input_value() == EVIL


def test_lists_dependent_fields_and_choices_of_the_host(book, form):
    form.get_by_role("button", name="Add: Disk").click()
    book.wait(
        "() => document.activeElement.closest('[data-path]')?.dataset.path.startsWith('disks[0]')"
    )
    control(form, "disks[0].source.size").fill("1")
    control(form, "disks[0].device").select_option("cdrom")
    offered = form.locator("[data-path='disks[0].source.pool'] option").evaluate_all(
        "all => all.map((el) => el.value)"
    )
    assert offered == ["default", "shared"]
    form.get_by_role("button", name="Remove Disk 1").click()
    book.wait("() => !document.querySelector(\"[data-path='disks[0].device']\")")
    assert control(form, "secure_boot").count() == 0
    control(form, "firmware").select_option("efi")
    form.get_by_label("Secure Boot").wait_for()
    control(form, "vcpus").fill("3")
    control(form, "memory").fill("900000")
    notes = form.locator(".lv-notes")
    notes.get_by_text("overcommit").wait_for()
    assert "swap" in notes.inner_text()
    assert "never do that" in notes.inner_text()


def test_a_virt_install_line_of_2009_and_xml_fill_the_form(book, form):
    form.get_by_text("From a virt-install line or XML").click()
    text = form.get_by_label("virt-install line or libvirt XML")
    text.fill(
        "virt-install -n rhel3support -r 756 --vnc --accelerate --hvm --network network:default "
        "--file=/var/lib/libvirt/images/rhel3support.img --file-size=6 --cdrom=/dev/sr0"
    )
    form.get_by_role("button", name="Take over").click()
    book.wait("() => document.querySelector('[data-path=name] input').value === 'rhel3support'")
    assert control(form, "memory").input_value() == "756 MiB"
    assert control(form, "disks[0].source.size").input_value() == "6 GiB"
    assert "Not taken over: folder of" in form.locator(".lv-notes").inner_text()
    text.fill("rm -rf / # not a line")
    form.get_by_role("button", name="Take over").click()
    form.locator(".lv-status").get_by_text("is no line of virt-install").wait_for()
    book.ask("import labvirt.model.domain_read")
    xml = book.ask(
        "print(lv.DomainSpec(name='x1', memory='64 MiB', virt='qemu', graphics='vnc').to_xml())"
    )
    text.fill(xml)
    form.get_by_role("button", name="Take over").click()
    book.wait("() => document.querySelector('[data-path=name] input').value === 'x1'")
    form.get_by_text("From a virt-install line or XML").click()


@pytest.mark.slow(seconds=5)
def test_a_system_and_a_preset_of_ones_own(book, form, jupyter):
    field = form.get_by_label("Operating system")
    field.fill("Debian 12")
    book.wait("() => document.querySelector('[data-path=memory] input').value === '1 GiB'")
    assert control(form, "disks[0].source.size").input_value() == "20 GiB"
    control(form, "memory").fill("512")
    form.locator(".lv-notes").get_by_text("needs 1 GiB at least").wait_for()
    form.get_by_text("Save as preset").click()
    form.get_by_label("Name of your preset").fill(EVIL)
    form.get_by_role("button", name="Save", exact=True).click()
    own = form.locator("[data-do^='preset-own:']")
    own.wait_for()
    jupyter.picture("create-top", form.locator(".lv-form"))
    form.get_by_role("button", name="Start over").click()
    book.wait("() => document.querySelector('[data-path=memory] input').value === ''")
    own.click()
    book.wait("() => document.querySelector('[data-path=memory] input').value === '512'")
    assert not book.page.evaluate("() => 'hurt' in window")
    form.get_by_role("button", name="Delete", exact=True).click()
    own.wait_for(state="detached")
    form.get_by_text("Save as preset").click()


def test_axe_finds_nothing_serious(book, form):
    form.get_by_role("button", name="Linux from a CD").click()
    book.wait("() => document.querySelector(\"[data-path='disks[0].device']\")")
    form.get_by_role("button", name="Create VM").click()
    book.wait("() => document.querySelector('[data-path=name] .lv-error').textContent")
    no_serious_fault(book)


def test_dark_and_russian_fit(book, form, jupyter):
    jupyter.theme(dark=True)
    try:
        book.ask("lv.ui.set_language('ru'); form.preset('windows'); form.start()")
        book.wait("() => document.querySelector('.lv-form h3').textContent.startsWith('Создание')")
        for width in (1280, 700):
            book.page.set_viewport_size({"width": width, "height": 1000})
            assert overflowing(form) == []
            whole(jupyter, f"create-ru-dark-{width}", width)
    finally:
        book.ask("lv.ui.set_language('en')")
        jupyter.theme(dark=False)
        book.page.set_viewport_size({"width": 1280, "height": 1000})
    found = re.findall(r"[A-Za-z ]{12,}", form.locator("h4").all_inner_texts()[0])
    assert found == []


def test_every_view_of_a_form_shows_the_same(book, form):
    book.cell("form")
    second = book.boards.nth(1)
    second.locator("h3").wait_for()
    control(second, "name").fill("twice")
    book.wait("() => document.querySelector('[data-path=name] input').value === 'twice'")
    control(form, "name").fill("thrice")
    book.wait(
        "() => [...document.querySelectorAll('[data-path=name] input')]"
        ".every((el) => el.value === 'thrice')"
    )
    book.page.evaluate(
        "() => jupyterapp.shell.currentWidget.content.widgets.at(-1).outputArea.model.clear()"
    )
    book.wait("() => document.querySelectorAll('[data-lv]').length === 1")
    control(form, "name").fill("once")
    book.until("form.state.raw['name']", "once")


@pytest.mark.slow(seconds=15)
def test_where_no_notebook_is_around_a_view_the_call_is_copied_with_a_word_why(book, form):
    book.ask("form.preset('tiny'); form.set('name', 'away1')")
    state(book, "preview", "ready")
    before = cells(book)
    form.get_by_text("Save as preset").click()
    no_serious_fault(book)
    form.get_by_text("Save as preset").click()
    # A view of an output stands beside the notebook, as everything does in Voila.
    panel = book.page.evaluate(
        """async () => {
          const {id, content} = jupyterapp.shell.currentWidget;
          content.activeCellIndex = 1;
          await jupyterapp.commands.execute('notebook:create-output-view');
          return id;
        }"""
    )
    beside = book.page.locator(".jp-LinkedOutputView .lv-form")
    beside.get_by_role("tab", name="Python").click()
    beside.get_by_role("button", name="Insert as cell").click()
    beside.get_by_text("it was copied instead").wait_for()
    book.page.evaluate(
        """(panel) => {
          for (const each of [...jupyterapp.shell.widgets('main')])
            if (each.node.querySelector('.jp-LinkedOutputView')) each.close();
          jupyterapp.shell.activateById(panel);
        }""",
        panel,
    )
    book.wait("() => document.querySelectorAll('[data-lv]').length === 1")
    assert cells(book) == before


def test_forms_of_networks_pools_and_volumes(book, jupyter):
    book.cell(
        "from IPython.display import display\n"
        "others = [lv.ui.network_form(alpha), lv.ui.pool_form(alpha), "
        "lv.ui.volume_form(alpha.pools['default'])]\n"
        "for each in others: display(each)"
    )
    book.wait("() => document.querySelectorAll('[data-lv=ready]').length === 4")
    network = book.boards.nth(1)
    book.wait("() => document.querySelector(\"[data-path='ips[0].address'] input\")?.value")
    control(network, "name").fill("lan1")
    # The daemon of an ordinary user may make no bridge, and says so before anything is made.
    network.get_by_text("may not make a bridge").first.wait_for()
    for name, box in (("network", 1), ("pool", 2), ("volume", 3)):
        jupyter.picture(f"form-{name}", book.boards.nth(box).locator(".lv-form"))
    no_serious_fault(book)
    book.ask("[each.close() for each in others]")


def test_a_read_only_host_says_why_nothing_can_be_made(book, jupyter):
    book.cell("locked = lv.ui.create(lab.open('alpha', readonly=True))\nlocked")
    box = book.boards.last
    box.get_by_role("button", name="Create VM").wait_for()
    assert box.get_by_role("button", name="Create VM").is_disabled()
    assert "read-only" in box.inner_text()
    jupyter.picture("create-readonly", box.locator(".lv-toolbar").last)
    book.ask("locked.close()")


@pytest.mark.slow(seconds=12)
def test_a_nat_network_and_a_pool_with_a_volume_are_made_by_mouse(book, jupyter):
    said = book.ask(
        f"wide = lv.Lab.start('uiw-{os.getpid()}', hosts=1, backend='system', ephemeral=True)", 60
    )
    if "Error" in said:
        pytest.skip(f"the system back end does not work here: {said.strip().splitlines()[-1]}")
    try:
        book.cell(
            "from IPython.display import display\n"
            "host = wide.hosts[0]\n"
            "both = [lv.ui.network_form(host), lv.ui.pool_form(host)]\n"
            "for each in both: display(each)"
        )
        network = book.page.get_by_role("region", name="Create a virtual network").last
        book.wait(
            "() => [...document.querySelectorAll(\"[data-path='ips[0].address'] input\")].at(-1)?.value"
        )
        network.locator(".lv-notes").get_by_text("netmask 255.255.255.0").wait_for()
        control(network, "name").fill("lan1")
        make(network, "Create network")
        assert "True lan1" in book.ask(
            "n = host.networks['lan1']; print(n.info().is_active, n.name)"
        )
        pool = book.page.get_by_role("region", name="Create a storage pool").last
        beside = book.ask("print(host.pools['default'].info().path + '-disks1')")
        control(pool, "name").fill("disks1")
        control(pool, "path").fill(beside.strip())
        pool.get_by_label("Build").check()
        make(pool, "Create pool")
        book.cell("third = lv.ui.volume_form(host.pools['disks1'])\nthird")
        volume = book.page.get_by_role("region", name="Create a volume").last
        control(volume, "name").fill("web1.qcow2")
        control(volume, "capacity").fill("1.5")
        make(volume, "Create volume")
        jupyter.picture("form-volume-made", volume)
        assert "1536 MiB" in book.ask(
            "print(host.pools['disks1'].volumes['web1.qcow2'].info().capacity)"
        )
    finally:
        book.ask("[each.close() for each in [*both, third]]")
        book.ask("wide.stop()", 60)


def make(form, label):
    """Press the button of a form and wait until the thing is made."""
    button = form.get_by_role("button", name=label)
    form.get_by_role("list", name="Steps").get_by_role("listitem").first.wait_for()
    button.click()
    form.locator(".lv-good").wait_for(timeout=30_000)
