"""unpack.py: what is in an archive ends up in one folder, or nowhere."""

import io
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from data.errors import DownloadError
from data.fetch.unpack import unpack


def zipped(file: Path, *names: str, link: bool = False) -> Path:
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            info = zipfile.ZipInfo(name)
            info.external_attr = (stat.S_IFLNK if link else 0) << 16
            archive.writestr(info, "/etc/passwd" if link else name)
    return file


def tarred(file: Path, name: str, kind: bytes = tarfile.REGTYPE) -> Path:
    with tarfile.open(file, "w:gz") as archive:
        info = tarfile.TarInfo(name)
        info.type, info.linkname, info.size = kind, "/etc/passwd", len(name)
        archive.addfile(info, io.BytesIO(name.encode()))
    return file


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_the_one_folder_around_everything_is_taken_off(tmp_path: Path) -> None:
    unpack(
        zipped(tmp_path / "a.zip", "SET-master/audio/1.wav", "SET-master/README"), tmp_path / "a"
    )
    unpack(tarred(tmp_path / "b.tar.gz", "./right/1.wav"), tmp_path / "b")
    assert names(tmp_path / "a") == {"audio/1.wav", "README"}
    assert names(tmp_path / "b") == {"1.wav"}
    assert (tmp_path / "b" / "1.wav").read_text() == "./right/1.wav"


@pytest.mark.parametrize(
    "name", ["../evil", "/evil", "a/../../evil", "a\\..\\..\\evil", "C:\\evil"]
)
def test_nothing_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    for archive in (zipped(tmp_path / "a.zip", name), tarred(tmp_path / "a.tar.gz", name)):
        with pytest.raises(DownloadError, match="leads out of its folder"):
            unpack(archive, tmp_path / archive.stem / "inside")
    assert not list(tmp_path.rglob("evil"))


def test_links_and_devices_are_refused(tmp_path: Path) -> None:
    archives = [zipped(tmp_path / "a.zip", "x", link=True)]
    kinds = (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE)
    archives += [tarred(tmp_path / f"{kind.decode()}.tar", "x", kind) for kind in kinds]
    for archive in archives:
        with pytest.raises(DownloadError, match="a link or device"):
            unpack(archive, tmp_path / archive.stem)


def test_more_than_the_disk_holds_is_refused_before_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        free = 3

    monkeypatch.setattr("shutil.disk_usage", lambda folder: Full)
    with pytest.raises(DownloadError, match="more than the disk has room for"):
        unpack(zipped(tmp_path / "a.zip", "four"), tmp_path / "a")
    assert not names(tmp_path / "a")


def test_a_damaged_archive_is_named(tmp_path: Path) -> None:
    whole = zipped(tmp_path / "a.zip", "one", "two").read_bytes()
    (tmp_path / "b.zip").write_bytes(whole.replace(b"two", b"2wo", 1))
    with pytest.raises(DownloadError, match="b.zip cannot be unpacked"):
        unpack(tmp_path / "b.zip", tmp_path / "b")
    (tmp_path / "c.zip").write_bytes(b"<html>")
    with pytest.raises(DownloadError, match="neither a zip nor a tar"):
        unpack(tmp_path / "c.zip", tmp_path / "c")
