"""What the benchmark of charts shows in its notebooks: four charts of one line, in three ways."""

from __future__ import annotations

import math
import threading
import time
from typing import Any

import numpy as np

from labvirt.status.sample import Subject
from labvirt.status.series import SERIES
from labvirt.widgets.charts import Charts
from labvirt.widgets.feed import Tick
from labvirt.widgets.panels import COLOURS, Line, Panel

CHARTS, STEP_S = 4, 0.5
WHO = Subject("alpha", "11111111-1111-4111-8111-111111111111")
NAMES = ("cpu_percent", "memory_bytes", "net_rx_bytes_s", "disk_read_bytes_s")
SIZES = (45, 2**29, 4e6, 9e6)


def values(n: int) -> list[float]:
    """Return the values of the n-th tick."""
    return [size * (1 + math.sin(n / 17 + k)) for k, size in enumerate(SIZES)]


class Clock:
    """Calls something at a steady pace while it is told to."""

    def __init__(self, tick: Any) -> None:
        self.tick, self.running, self.count = tick, False, 0
        self.points = 0

    def start(self, hertz: float) -> None:
        self.running, self.count = True, 0
        threading.Thread(target=self.run, args=(1 / hertz,), daemon=True).start()

    def run(self, seconds: float) -> None:
        due = time.monotonic()
        while self.running:
            self.tick()
            self.count += 1
            due += seconds
            time.sleep(max(0.0, due - time.monotonic()))

    def stop(self) -> None:
        self.running = False
        print(self.count)


class Driver:
    """A `Driver` of labvirt's feed with values by formula."""

    title, span, interval_s = "bench", None, STEP_S

    def __init__(self, points: int) -> None:
        self.n, self.tell, self.at = points, None, time.time()
        self.points = points

    def start(self, tell: Any) -> None:
        self.tell = tell

    def stop(self) -> None:
        self.tell = None

    def panels(self) -> tuple[Panel, ...]:
        series = [SERIES["domain", name] for name in NAMES]
        return tuple(
            Panel(
                each.name,
                each.title,
                each.unit,
                (Line(each.name, WHO, each, "web1", colour),),
                top=100.0 if each.unit == "%" else None,
            )
            for each, colour in zip(series, COLOURS, strict=False)
        )

    def row(self, n: int) -> list[float]:
        return [self.at + n * STEP_S, *values(n)]

    def window(self, seconds: float) -> Any:
        del seconds
        return np.array([self.row(n) for n in range(self.n - self.points, self.n)]).T

    def marks(self, seconds: float) -> tuple[()]:
        del seconds
        return ()

    def state(self) -> dict[str, Any]:
        return {}

    def control(self, message: Any) -> bool:
        del message
        return False

    def tick(self) -> None:
        self.n += 1
        if self.tell is not None:
            self.tell(Tick(rows=np.array([self.row(self.n - 1)])))


def labvirt(engine: str, points: int) -> tuple[Any, Clock]:
    driver = Driver(points)
    return Charts(driver, engine=engine, window_s=points * STEP_S), Clock(driver.tick)  # type: ignore[arg-type]


def figure_widgets(points: int) -> tuple[Any, Clock]:
    """Return plotly's own live widgets, fed in the cheapest way that they document."""
    import ipywidgets
    import plotly.graph_objects as go

    began = np.datetime64("now", "ms")
    state = {"n": points}

    def column(k: int) -> tuple[Any, Any]:
        steps = np.arange(state["n"] - clock.points, state["n"])
        return began + steps * np.timedelta64(round(1000 * STEP_S), "ms"), SIZES[k] * (
            1 + np.sin(steps / 17 + k)
        )

    clock = Clock(lambda: tick())  # noqa: PLW0108 - tick comes below
    clock.points = points
    figures = []
    for k in range(CHARTS):
        x, y = column(k)
        layout = {"width": 410, "height": 150, "margin": {"l": 70, "r": 10, "t": 8, "b": 24}}
        figures.append(go.FigureWidget([go.Scatter(x=x, y=y, mode="lines")], layout))

    def tick() -> None:
        state["n"] += 1
        for k, figure in enumerate(figures):
            x, y = column(k)
            with figure.batch_update():
                figure.data[0].x = x
                figure.data[0].y = y

    rows = [ipywidgets.HBox(figures[:2]), ipywidgets.HBox(figures[2:])]
    return ipywidgets.VBox(rows), clock
