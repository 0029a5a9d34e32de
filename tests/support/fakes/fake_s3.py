"""An S3 store of this process: moto's, which Arrow, MLflow and boto3 take for the real one."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

KEYS = {
    "AWS_ACCESS_KEY_ID": "moto",
    "AWS_SECRET_ACCESS_KEY": "moto",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@contextmanager
def s3_store(bucket: str) -> Iterator[str]:
    """Where it answers, as host:port, with an empty `bucket`; skips the test without moto."""
    boto3, moto = pytest.importorskip("boto3"), pytest.importorskip("moto.server")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    keys = {"aws_access_key_id": "moto", "aws_secret_access_key": "moto"}
    client = boto3.client(
        "s3", endpoint_url=f"http://{host}:{port}", region_name="us-east-1", **keys
    )
    client.create_bucket(Bucket=bucket)
    yield f"{host}:{port}"
    server.stop()
