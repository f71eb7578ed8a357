"""An SQS of one's own: moto's server, asked over HTTP as Amazon's is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import httpx

from . import plain_http
from .ports import free_port
from .waiting import eventually

#: Credentials of nobody, and nowhere else to look for any.
AWS = {
    "AWS_ACCESS_KEY_ID": "nobody",
    "AWS_SECRET_ACCESS_KEY": "nothing",
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    "AWS_EC2_METADATA_DISABLED": "true",
}

REGION = "sa-east-1"


class SQSServer:
    """A server process on the loopback interface, gone when the `with` block ends, and its messages with it.

    Parameters:
      directory: for its log.
    """

    def __init__(self, directory: Path) -> None:
        self._log = directory / "sqs.log"
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, empty. Returns when it answers."""
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        eventually(self._answers, within_s=60)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text()
        try:
            return plain_http.get(f"{self.url}/moto-api/data.json").is_success
        except httpx.HTTPError:
            return False

    def kill(self) -> None:
        """SIGKILL: all its messages are lost, too."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def client(self) -> Any:
        """boto3's client for it, as an operator would use it."""
        return boto3.client(
            "sqs",
            region_name=REGION,
            endpoint_url=self.url,
            aws_access_key_id=AWS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=AWS["AWS_SECRET_ACCESS_KEY"],
        )

    def __enter__(self) -> SQSServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
