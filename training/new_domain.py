"""A folder of labelled clips becomes a domain: its file is written, its clips are checked, and its
first model is trained.

    telltale new sounds/pumps              sounds/pumps/leaking/a.wav, .../normal/b.wav
    telltale new sounds/pumps --dry-run    the file and what is doubted, nothing else

Labels are the folders' names. Rate and window are what nine in ten clips have; the rest is that of
a shipped domain. The file goes to TELLTALE_CONFIGS, or to domains/ here, and is never overwritten.
"""

import argparse
import os
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from data.commands.check_clips import report
from data.datasets.labelled_clips import of_dataset, read
from data.datasets.listing import Listed, labelled_folders, readable
from data.datasets.sources import examples
from data.domains.domain import CONFIGS, AudioDomain, Domain, checked, load_domain
from data.domains.reserved_names import must_be_free
from data.errors import Conflict, InvalidParameter, TelltaleError
from data.home import keep_to_owner, planned_home
from data.progress import progress
from data.quality.checks import check
from data.terminal import command, new_parser
from models.exam import find_exam
from models.registry.current_model import current
from training import retrain
from training.folder_clips import Measured, has_masks, measured
from training.job.options import positive, whole

DOMAINS = Path("domains")  # where one's own files go, if TELLTALE_CONFIGS names no folder
LEAST_GROUPS = 3  # of a label: to learn from, to hold out, and for the exam
BACKBONE_HZ = 16_000  # what `sounds` hears, and with it the file for recordings
LEAST_WINDOW_S, LONGEST_WINDOW_S = 1.0, 5.0
WORRY = {"exam_copy", "label_conflict"}  # what makes the first figures worth nothing
NAME = re.compile(r"[a-z][a-z0-9_]{1,30}")

Raw = dict[str, Any]


@command(TelltaleError)
def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        folder = options.folder.expanduser().resolve()
        file = planned_file(options.name or _name(folder), options.configs)
        domain, raw = described(folder, file.stem, options.licence)
        print(f"{file}: {_summary(domain)}")
        worries = doubts(domain, folder.parent)
        if options.dry_run:
            print(_text(raw, folder))
            return 0
        if worries and not (options.yes or _agreed(worries)):
            raise Conflict("nothing was written; mend the clips, or say --yes")
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as out:
            out.write(_text(raw, folder))
    except (KeyboardInterrupt, EOFError):
        print("telltale: stopped; nothing was written", file=sys.stderr)
        return 1
    except FileExistsError:
        print(f"telltale: {file} is there already", file=sys.stderr)
        return 1
    return trained(file, folder.parent, options)


def trained(file: Path, datasets: Path, options: argparse.Namespace) -> int:
    settings = {"TELLTALE_CONFIGS": str(file.parent), "TELLTALE_DATASETS": str(datasets)}
    os.environ.update(settings)
    keep_to_owner()
    epochs = ["--epochs", str(options.epochs)] if options.epochs else []
    workers = ["--workers", str(options.workers)]
    code = retrain.main([file.stem, "--mode", "full", *workers, *epochs])
    exports = " ".join(f"{name}={shlex.quote(value)}" for name, value in settings.items())
    print(f"\n{file} is yours to edit. First, in each shell:\n  export {exports}")
    try:
        current(load_domain(file), planned_home())
    except TelltaleError as error:  # the gate refused it, or the run failed; both said why
        print(f"telltale: {error} --mode full, once that is mended", file=sys.stderr)
        return code or 1
    print("Then serve it:\n  telltale serve")
    return code


def planned_file(name: str, configs: Path | None) -> Path:
    """Raises Conflict or InvalidParameter for a name that cannot be given."""
    if not NAME.fullmatch(name):
        raise InvalidParameter(
            f"a domain cannot be called {name!r}: 2 to 31 small letters, digits and _, the first a "
            "letter; choose one with --name"
        )
    must_be_free(name)
    if (CONFIGS / f"{name}.yaml").exists():
        raise Conflict(f"{name} is a shipped domain; choose another name with --name")
    folder = configs or Path(os.environ.get("TELLTALE_CONFIGS") or DOMAINS)
    file = folder.expanduser().resolve() / f"{name}.yaml"
    if file.exists():
        raise Conflict(
            f"{file} is there already; train it by `telltale retrain {name}`, or choose another "
            "name with --name"
        )
    return file


def described(folder: Path, name: str, licence: str) -> tuple[Domain, Raw]:
    """The domain of a folder's clips, checked, and what stands in its file."""
    if not folder.is_dir():
        raise InvalidParameter(f"there is no folder {folder}")
    if (told := readable(folder.name)) != folder.name:
        raise InvalidParameter(
            f"the folder's name {told!r} is not UTF-8: no file can name it; rename it"
        )
    raw = _of_photographs(name) if has_masks(folder) else _of_recordings(folder)
    title = folder.name.replace("_", " ").strip()
    raw |= {"title": title[:1].upper() + title[1:]}
    raw["source"] |= {"dataset": folder.name, "licence": licence}
    return checked({**raw, "name": name}, f"{name}.yaml"), raw


def _of_photographs(name: str) -> Raw:
    thing = name.replace("_", " ")
    raw = _shipped("cracks") | {"labels": [f"no {thing}", thing]}
    return raw | {"description": f"Is there {thing} in this photograph, and where?"}


def _of_recordings(folder: Path) -> Raw:
    listed = labelled_folders(folder)
    _must_suffice(listed)
    labels = sorted({row.label for row in listed})
    told = measured([row.path for row in listed])
    raw = _shipped("faults") | {"labels": labels}
    raw["description"] = f"Which is heard: {', '.join(labels)}?"
    raw["source"]["layout"] = "folders"
    del raw["rest_label"]
    _fit(raw, told)
    return raw


def _fit(raw: Raw, told: Measured) -> None:
    """Rate and window as the clips have them. The backbone hears at its own rate; recordings that
    hold less are learnt from scratch, at theirs."""
    rate_hz = min(told.usual_rate_hz, BACKBONE_HZ)
    window_s = min(max(told.usual_duration_s, LEAST_WINDOW_S), LONGEST_WINDOW_S)
    raw["input"] |= {"sample_rate_hz": rate_hz, "window_s": window_s, "hop_s": window_s / 2}
    raw["training"]["augment"]["time_shift_s"] = window_s / 2
    limits = raw["limits"]
    limits["max_duration_s"] = max(limits["max_duration_s"], told.longest_s)
    limits["max_bytes"] = max(limits["max_bytes"], told.most_bytes)
    if rate_hz < BACKBONE_HZ:
        # A small network, for what starts from nothing.
        raw["network"] |= {"channels": [32, 64, 96, 128], "embedding": 128, "dropout": 0.2}
        raw["features"] |= {
            "n_mels": 40,
            "fmin_hz": 60,
            "n_fft": 1 << (rate_hz // 32).bit_length(),  # 32 ms or more
            "hop_length": rate_hz // 100,
            "fmax_hz": rate_hz // 2,
        }
        del raw["training"]["start_from"]


def _must_suffice(listed: Sequence[Listed]) -> None:
    groups: dict[str, set[str]] = {}
    for row in listed:
        groups.setdefault(row.label, set()).add(row.group or row.name)
    if len(groups) < 2:
        raise InvalidParameter(
            f"there is one label, {min(groups)!r}; a folder for each of two or more is needed"
        )
    for label, found in groups.items():
        if len(found) < LEAST_GROUPS:
            raise InvalidParameter(
                f"{label!r} has {len(found)} clip(s) or groups of clips; at least {LEAST_GROUPS} "
                "are needed, to learn from, to calibrate by and for the exam, and 20 or more for a "
                "useful model"
            )


def doubts(domain: Domain, root: Path) -> int:
    """Says what the checks of recordings doubt; returns how much of it spoils the exam's figures.
    Raises InvalidParameter for a data set that cannot be trained on."""
    if not isinstance(domain, AudioDomain):
        print(f"{len(examples(domain, root))} photographs")
        return 0
    clips, exam = of_dataset(domain, root), find_exam(domain, root, planned_home()).clips
    with progress("listening", len(clips)) as advance:
        found = check(clips, exam, lambda clip: read(clip, None), domain, advance)
    print("\n".join([*report(found, None), f"{len(found)} remarks on {len(clips)} clips"]))
    return sum(one.remark.kind in WORRY for one in found)


def _agreed(worries: int) -> bool:
    """Nobody is asked where nobody could answer."""
    if not sys.stdin.isatty():
        return False
    question = f"{worries} of these make the exam's figures doubtful. Train all the same? [y/N] "
    return input(question).strip().lower() in {"y", "yes"}


def _summary(domain: Domain) -> str:
    told = f"labels {', '.join(domain.labels)}"
    if isinstance(domain, AudioDomain):
        heard = domain.input
        told += f"; {heard.sample_rate_hz:,} samples a second, windows of {heard.window_s:g} s"
    return told


def _shipped(name: str) -> Raw:
    raw: Raw = yaml.safe_load((CONFIGS / f"{name}.yaml").read_text(encoding="utf-8"))
    raw.pop("disclaimer", None)
    return raw


def _text(raw: Raw, folder: Path) -> str:
    head = f"# Made by `telltale new` from the clips in {folder.name}/.\n"
    return head + yaml.safe_dump(raw, sort_keys=False, default_flow_style=None, allow_unicode=True)


def _name(folder: Path) -> str:
    return re.sub(r"[^a-z0-9]+", "_", folder.name.lower()).strip("_")


def _parser() -> argparse.ArgumentParser:
    parser = new_parser("telltale new", __doc__)
    parser.add_argument("folder", type=Path, help="with a folder for each label, clips in those")
    parser.add_argument("--name", help="of the domain; default: the folder's")
    parser.add_argument("--configs", type=Path, help="where its file goes")
    parser.add_argument(
        "--licence", default="not stated", help="of the clips, for the model's card"
    )
    parser.add_argument("--epochs", type=positive, help="other than the file's")
    parser.add_argument("--workers", type=whole, default=1, help="as of telltale retrain")
    parser.add_argument("--yes", action="store_true", help="train whatever the checks doubt")
    parser.add_argument("--dry-run", action="store_true", help="write and train nothing")
    return parser


if __name__ == "__main__":
    sys.exit(main())
