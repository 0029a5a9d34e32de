"""`manifest.csv` for data sets as their makers lay them out: one function a data set, which lists
its rows, each a dictionary of columns. The official test side is kept wherever there is one."""

import csv
import hashlib
from collections.abc import Sequence
from pathlib import Path

Row = dict[str, str]

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

VALVES = {
    "AS": "aortic_stenosis",
    "MR": "mitral_regurgitation",
    "MS": "mitral_stenosis",
    "MVP": "mitral_valve_prolapse",
    "N": "normal",
}


def write_manifest(folder: Path, rows: Sequence[Row]) -> None:
    """Without the training rows of a group that is tested too: the exam would know them."""
    tested = {row["group"] for row in rows if row["split"] == "test"}
    kept = [row for row in rows if row["split"] == "test" or row["group"] not in tested]
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as lines:
        table = csv.DictWriter(lines, list(kept[0]))
        table.writeheader()
        table.writerows(kept)


def esc50(folder: Path) -> list[Row]:
    """Fold 5 is the test side; the group is the Freesound clip."""
    return [
        {
            "path": f"audio/{row['filename']}",
            "label": row["category"],
            "group": f"freesound:{row['src_file']}",
            "split": "test" if row["fold"] == "5" else "train",
            "source": "ESC-50",
        }
        for row in _table(folder / "meta" / "esc50.csv")
    ]


def urbansound8k(folder: Path) -> list[Row]:
    """Fold 10 is the test side; the group is the Freesound clip."""
    return [
        {
            "path": f"audio/fold{row['fold']}/{row['slice_file_name']}",
            "label": row["class"],
            "group": f"freesound:{row['fsID']}",
            "split": "test" if row["fold"] == "10" else "train",
            "source": "UrbanSound8K",
        }
        for row in _table(folder / "metadata" / "UrbanSound8K.csv")
    ]


def speech_commands(folder: Path) -> list[Row]:
    """The official test list; the group is the speaker."""
    tested = set((folder / "testing_list.txt").read_text(encoding="utf-8").split())
    return [
        {
            "path": name,
            "label": file.parent.name,
            "group": file.name.split("_nohash_")[0],
            "split": "test" if name in tested else "train",
            "source": "Speech Commands",
        }
        for file in sorted(folder.glob("[!_]*/*.wav"))
        for name in [f"{file.parent.name}/{file.name}"]
    ]


def fsdd(folder: Path) -> list[Row]:
    """Takes 0 to 4 are the official test side: of the same speakers, so the group is the take."""
    takes = [file.stem.split("_") for file in sorted((folder / "recordings").glob("*_*_*.wav"))]
    return [
        {
            "path": f"recordings/{digit}_{speaker}_{take}.wav",
            "label": DIGITS[int(digit)],
            "group": f"{digit}_{speaker}_{take}",
            "split": "test" if int(take) < 5 else "train",
            "source": "FSDD",
            "speaker": speaker,
        }
        for digit, speaker, take in takes
    ]


def physionet2016(folder: Path) -> list[Row]:
    """Patients are not named and the official test side is not public: every fifth record is
    tested, by a hash of its name."""
    labels = {"-1": "normal", "1": "abnormal"}
    return [
        {
            "path": str((reference.parent / f"{name}.wav").relative_to(folder)),
            "label": labels[verdict.strip()],
            "group": name,
            "split": _side(name),
            "source": f"PhysioNet2016:{reference.parent.name}",
        }
        for reference in sorted(folder.rglob("REFERENCE.csv"))
        for name, verdict in csv.reader(reference.read_text(encoding="utf-8").splitlines())
    ]


def deepcrack(folder: Path) -> list[Row]:
    """The official test side; crops 11125-1 and 11125-2 are of one photograph."""
    return [
        {
            "path": str(image.relative_to(folder)),
            "mask": str((image.parent.parent / f"{side}_lab" / image.stem).relative_to(folder))
            + ".png",
            "group": image.stem.split("-")[0],
            "split": side,
            "source": "DeepCrack",
        }
        for side in ("train", "test")
        for image in sorted(folder.rglob(f"{side}_img/*.jpg"))
    ]


def crackforest(folder: Path) -> list[Row]:
    """There is no official test side: every fifth photograph is tested, by a hash of its name."""
    return [
        {
            "path": f"image/{mask.stem}.jpg",
            "mask": f"groundTruth/{mask.name}",
            "group": mask.stem,
            "split": _side(mask.stem),
            "source": "CFD",
        }
        for mask in sorted((folder / "groundTruth").glob("*.png"))
    ]


def yaseen2018(folder: Path) -> list[Row]:
    """Patients are not named and there is no test side: every fifth recording is tested, by a hash
    of its name. Many are nearly copies of each other, which such a split does not mind."""
    return [
        {
            "path": str(file.relative_to(folder)),
            "label": VALVES[file.stem.split("_")[1]],
            "group": file.stem,
            "split": _side(file.stem),
            "source": f"Yaseen2018:{file.stem.split('_')[1]}",
        }
        for file in sorted(folder.glob("Data/*_New/New_*.wav"))
    ]


def _side(name: str) -> str:
    return "test" if hashlib.sha256(name.encode()).digest()[0] % 5 == 0 else "train"


def _table(file: Path) -> list[Row]:
    with file.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))
