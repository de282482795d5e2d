"""The example DAG, run by a real Airflow in an environment of its own; it needs no server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

DAGS = Path(__file__).parents[2] / "notebooks" / "airflow"
PACKAGES = ("apache-airflow>=3,<4", "apache-airflow-providers-papermill", "ipykernel")


@pytest.mark.slow(seconds=160)
@pytest.mark.timeout(900)
def test_the_example_dag_checks_a_host_and_keeps_the_notebook(tmp_path):
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True, timeout=120)
    bin_ = tmp_path / "venv" / "bin"
    subprocess.run([bin_ / "pip", "install", "-q", *PACKAGES], check=True, timeout=600)
    kernel = tmp_path / "jupyter" / "kernels" / "labvirt" / "kernel.json"
    kernel.parent.mkdir(parents=True)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    kernel.write_text(json.dumps({"argv": argv, "display_name": "labvirt", "language": "python"}))
    records = tmp_path / "records"
    records.mkdir()
    environment = {
        "PATH": f"{bin_}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "JUPYTER_PATH": str(tmp_path / "jupyter"),
        "LABVIRT_RECORDS": str(records),
        "LABVIRT_HOME": str(tmp_path / "home"),
    }

    def airflow(*words):
        done = subprocess.run(
            [bin_ / "airflow", *words], env=environment, capture_output=True, text=True,
            timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout + done.stderr

    airflow("db", "migrate")
    told = airflow(
        "dags", "test", "labvirt_host_check", "-c", json.dumps({"host": "test:///default"})
    )
    assert "successful" in told
    (record,) = records.glob("host-check-*.ipynb")
    executed = nbformat.read(record, as_version=4)
    assert executed.metadata.papermill.parameters.host == "test:///default"
    assert executed.metadata.papermill.exception is None
