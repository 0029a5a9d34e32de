"""Where this Telltale lies: a checkout, or the folders that a wheel was unpacked into.

What is no code is read from here: domain files and Ray Serve's configuration stand at the top of
the checkout, and a wheel carries them beside the packages, in `telltale_files/`.
"""

from pathlib import Path

from platformdirs import user_data_path

CODE = Path(__file__).resolve().parents[1]  # the folder that holds `data`, `models` and the others
_UNPACKED = CODE / "telltale_files"
CHECKOUT = None if _UNPACKED.is_dir() else CODE
FILES = CHECKOUT or _UNPACKED


def own_folder(name: str) -> Path:
    """`name` in the checkout; outside of one, in the user's data folder."""
    return CHECKOUT / name if CHECKOUT else user_data_path("telltale", appauthor=False) / name
