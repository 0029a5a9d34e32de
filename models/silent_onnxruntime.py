"""ONNX Runtime that reports nothing: since 1.29 its wheels send what a process runs to Microsoft.

Its own switch counts only if it is set before the library is loaded; `disable_telemetry_events`
comes after the first report, and after the number that is kept of the machine
(onnxruntime/Privacy.md). So nobody else imports it; ruff checks that.
"""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime  # noqa: TID251

__all__ = ["onnxruntime"]
