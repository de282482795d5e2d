"""An Airflow DAG that runs the runbook host-check every night; the executed notebook is the record.

Airflow and labvirt may live in environments of their own: papermill executes the book in the kernel
``labvirt``, which is made once by::

    .venv/bin/python -m ipykernel install --user --name labvirt

Put this file into the folder of DAGs, and the books beside it or where ``LABVIRT_BOOKS`` says. With
the engine ``labvirt`` (labvirt installed beside Airflow) parameters are strict and secrets masked:
``PapermillOperator(..., engine_name="labvirt")``.
"""

import os
from datetime import datetime, timezone
from pathlib import Path

from airflow.providers.papermill.operators.papermill import PapermillOperator
from airflow.sdk import DAG

BOOKS = Path(os.environ.get("LABVIRT_BOOKS", Path(__file__).parent.parent / "runbooks"))
RECORDS = Path(os.environ.get("LABVIRT_RECORDS", "/var/lib/labvirt/airflow"))

with DAG(
    "labvirt_host_check",
    schedule="@daily",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    params={"host": "qemu:///system"},
    doc_md=__doc__,
) as dag:
    PapermillOperator(
        task_id="host_check",
        input_nb=str(BOOKS / "host-check.ipynb"),
        output_nb=str(RECORDS / "host-check-{{ ts_nodash }}.ipynb"),
        parameters={"host": "{{ params.host }}", "strict": True},
        kernel_name="labvirt",
        language_name="python",
    )
