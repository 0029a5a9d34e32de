"""Serve imported without pandas, which it wants only to encode data frames in answers."""

import importlib.util
import sys
from contextlib import suppress
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from types import ModuleType
from typing import Any

from data.without_pandas import without_pandas

IMPORTS_PANDAS = "ray.serve._private.utils"


def serve_without_pandas() -> None:
    """For a process that may import Serve later; nothing is imported by this."""
    if IMPORTS_PANDAS not in sys.modules:
        sys.meta_path.insert(0, _Finder())


class _Finder(MetaPathFinder):
    def find_spec(
        self, name: str, path: Any, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != IMPORTS_PANDAS:
            return None
        with suppress(ValueError):  # another thread is first
            sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.origin is not None:
            spec.loader = _Loader(name, spec.origin)
        return spec


class _Loader(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        with without_pandas():
            super().exec_module(module)
