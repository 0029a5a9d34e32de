"""torchaudio's pure-Python transforms, without its C++ extension.

Published torchaudio wheels link their extension against CUDA, so a plain `import torchaudio`
fails beside a CPU-only torch. We need only transforms written in Python, for augmentation and
as the reference in tests: the extension is therefore declared absent, which torchaudio
provides for. Never imported on the way of a request.
"""

import sys
from types import ModuleType

import torch


def _unavailable(function: object) -> object:
    """Stands in for forced alignment, the one thing that has no Python version."""
    return function


def _load_transforms() -> ModuleType:
    extension = ModuleType("torchaudio._extension", "The C++ extension, declared absent.")
    extension.__dict__.update(_IS_TORCHAUDIO_EXT_AVAILABLE=False, fail_if_no_align=_unavailable)
    sys.modules.setdefault(extension.__name__, extension)
    try:
        import torchaudio.transforms
    except Exception as error:
        raise ImportError(
            "torchaudio's Python transforms cannot be loaded without its extension; training needs "
            f"a torchaudio that fits torch {torch.__version__}. It said: {error}"
        ) from error
    return torchaudio.transforms  # type: ignore[no-any-return]


_transforms = _load_transforms()

FrequencyMasking: type[torch.nn.Module] = _transforms.FrequencyMasking
MelSpectrogram: type[torch.nn.Module] = _transforms.MelSpectrogram
Resample: type[torch.nn.Module] = _transforms.Resample
TimeMasking: type[torch.nn.Module] = _transforms.TimeMasking
