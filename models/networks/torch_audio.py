"""What torchaudio has in pure Python (transforms, wav2vec 2.0), without its C++ extension.

Published torchaudio wheels link their extension against CUDA, so a plain `import torchaudio`
fails beside a CPU-only torch. We need only what is written in Python, as the reference in tests and
for a network of its own: the extension is therefore declared absent, which torchaudio provides
for. Never imported on the way of a request, and by other networks neither: it takes a second.
"""

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch


def _unavailable(function: object) -> object:
    """Stands in for forced alignment, the one thing that has no Python version."""
    return function


def _load() -> ModuleType:
    extension = ModuleType("torchaudio._extension", "The C++ extension, declared absent.")
    extension.__dict__.update(_IS_TORCHAUDIO_EXT_AVAILABLE=False, fail_if_no_align=_unavailable)
    sys.modules.setdefault(extension.__name__, extension)
    try:
        import torchaudio
    except Exception as error:
        raise ImportError(
            "torchaudio's Python parts cannot be loaded without its extension; training needs "
            f"a torchaudio that fits torch {torch.__version__}. It said: {error}"
        ) from error
    return torchaudio  # type: ignore[no-any-return]


_torchaudio = _load()

FrequencyMasking: type[torch.nn.Module] = _torchaudio.transforms.FrequencyMasking
MelSpectrogram: type[torch.nn.Module] = _torchaudio.transforms.MelSpectrogram
Resample: type[torch.nn.Module] = _torchaudio.transforms.Resample
TimeMasking: type[torch.nn.Module] = _torchaudio.transforms.TimeMasking

wav2vec2_model: Callable[..., torch.nn.Module] = _torchaudio.models.wav2vec2_model
# Published sizes and weights; `get_model()` fetches them once, into the cache of torch's hub.
WAV2VEC2_BASE: Any = _torchaudio.pipelines.WAV2VEC2_BASE
