"""The picture: made without a browser, written in one step."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest
from PIL import Image

from labvirt.errors import SpecError
from labvirt.widgets.panels import Panel
from labvirt.widgets.png import png


def opened(data):
    return Image.open(io.BytesIO(data)).convert("RGB")


@pytest.mark.parametrize(("theme", "paper"), [("light", (255, 255, 255)), ("dark", (20, 24, 29))])
def test_it_shows_the_lines_on_the_paper_of_the_theme(boards, theme, paper):
    image = opened(png(boards.sample_panels(), boards.sample_source(), theme=theme))
    assert image.size[0] == 1800
    colours = {colour: count for count, colour in image.getcolors(2**24)}
    assert max(colours, key=colours.get) == paper
    for colour in ((0x00, 0x72, 0xB2), (0xE6, 0x9F, 0x00), (0x00, 0x9E, 0x73)):
        assert colours.get(colour, 0) > 500


def test_a_path_is_written_in_one_step(boards, tmp_path):
    path = tmp_path / "charts.png"
    path.write_bytes(b"old")
    data = png(boards.sample_panels(), boards.sample_source(), path, scale=1)
    assert path.read_bytes() == data
    assert path.stat().st_mode & 0o777 == 0o644
    assert [one.name for one in tmp_path.iterdir()] == ["charts.png"]


def test_a_folder_that_is_not_there_leaves_nothing(boards, tmp_path):
    with pytest.raises(FileNotFoundError):
        png(boards.sample_panels(), boards.sample_source(), tmp_path / "no" / "charts.png", scale=1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("scale", [0, -1, 100, float("nan")])
def test_a_scale_out_of_its_limits_is_refused(boards, scale):
    with pytest.raises(SpecError, match="scale"):
        png(boards.sample_panels(), boards.sample_source(), scale=scale)


def test_very_many_panels_fit_into_memory(boards):
    line = boards.line("c", boards.WEB, "cpu_percent", "web1")
    panels = tuple(Panel(f"p{n}", f"Panel {n}", "%", (line,)) for n in range(120))
    image = opened(png(panels, boards.sample_source(30), scale=4))
    assert image.size[0] * image.size[1] <= 25_000_000


def test_it_needs_no_browser_no_display_and_no_fonts(boards, tmp_path):
    code = (
        "import sys, importlib.util as u\n"
        f"spec = u.spec_from_file_location('boards', {boards.__file__!r})\n"
        "boards = u.module_from_spec(spec); sys.modules['boards'] = boards\n"
        "spec.loader.exec_module(boards)\n"
        "from PIL import ImageFont\n"
        "def none(*a, **k): raise OSError\n"
        "own = ImageFont.truetype\n"
        "ImageFont.truetype = lambda f, *a, **k: none() if isinstance(f, str) else own(f, *a, **k)\n"
        "from labvirt.widgets.png import png\n"
        "print(len(png(boards.sample_panels(), boards.sample_source(), scale=1)))\n"
        "print('plotly' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": ":".join(sys.path), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    size, has_plotly = done.stdout.split()
    assert int(size) > 20_000
    assert has_plotly == "False"
