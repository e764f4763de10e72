"""Positions in files."""

import os
import pathlib

import pytest
from tertulia import CursorError, FileCursor, MemoryCursor


def test_a_file_keeps_the_newest_cursor(tmp_path: pathlib.Path) -> None:
    cursor = FileCursor(tmp_path / "cursor")
    assert cursor.load() is None
    cursor.save("a-1")
    cursor.save("a-22")
    assert FileCursor(tmp_path / "cursor").load() == "a-22"
    assert [file.name for file in tmp_path.iterdir()] == ["cursor"]


def test_a_failed_write_leaves_the_old_cursor_and_nothing_else(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cursor = FileCursor(tmp_path / "cursor")
    cursor.save("a-1")

    def fail(*_: object) -> None:
        raise OSError("no space")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(CursorError, match="no space"):
        cursor.save("a-2")
    assert cursor.load() == "a-1"
    assert [file.name for file in tmp_path.iterdir()] == ["cursor"]


@pytest.mark.parametrize("content", ["", "garbage", "99", "\n", "two words", "\xff"])
def test_a_file_without_a_cursor_is_an_error_and_not_a_new_beginning(tmp_path: pathlib.Path, content: str) -> None:
    (tmp_path / "cursor").write_text(content, encoding="latin-1")
    with pytest.raises(CursorError, match="cursor"):
        FileCursor(tmp_path / "cursor").load()


def test_a_missing_directory_is_an_error(tmp_path: pathlib.Path) -> None:
    with pytest.raises(CursorError, match="cannot write the cursor"):
        FileCursor(tmp_path / "missing" / "cursor").save("a-1")


def test_memory_keeps_the_newest_cursor() -> None:
    cursor = MemoryCursor()
    assert cursor.load() is None
    cursor.save("a-1")
    assert cursor.load() == "a-1"
