"""Objects of a delivery: the same lines give the same objects, cut at line ends."""

from __future__ import annotations

import gzip
import hashlib
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deftunes_contract.object_store import LocalStore
from deftunes_contract.receipt import LandedObject
from deftunes_extract.part_writer import PartWriter


def write(root: Path, blocks: Iterator[bytes] | list[bytes], part_bytes: int) -> tuple[LandedObject, ...]:
    with PartWriter(LocalStore(root), "delivery", "jsonl.gz", part_bytes, None, set()) as parts:
        for block in blocks:
            parts.write(block, block.count(b"\n"))
        return parts.close()


def read(root: Path, objects: tuple[LandedObject, ...]) -> list[bytes]:
    return [gzip.decompress((root / "delivery" / o.name).read_bytes()) for o in objects]


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    lines=st.lists(st.binary(max_size=30).map(lambda line: line.replace(b"\n", b" ") + b"\n"), min_size=1, max_size=40),
    cuts=st.lists(st.integers(1, 10), min_size=1),
    part_bytes=st.integers(1, 200),
)
def test_parts_are_cut_at_the_line_that_fills_them(
    lines: list[bytes], cuts: list[int], part_bytes: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("store")
    blocks, start = [], 0
    while start < len(lines):
        step = cuts[len(blocks) % len(cuts)]
        blocks.append(b"".join(lines[start : start + step]))
        start += step
    objects = write(root, blocks, part_bytes)
    contents = read(root, objects)
    assert b"".join(contents) == b"".join(lines)
    assert [o.records for o in objects] == [content.count(b"\n") for content in contents]
    for content in contents[:-1]:
        assert len(content) >= part_bytes
        assert content.rfind(b"\n", 0, -1) + 1 < part_bytes
    assert objects == write(root, lines, part_bytes)


def test_names_tell_number_and_content_and_do_not_depend_on_blocks(tmp_path: Path) -> None:
    dice = random.Random(1)
    lines = [b"%d %s\n" % (n, dice.randbytes(20).hex().encode() * dice.randint(1, 9)) for n in range(30_000)]
    whole = write(tmp_path / "a", [b"".join(lines)], 3_000_000)
    pieces = write(tmp_path / "b", lines, 3_000_000)
    thirds = write(
        tmp_path / "c", [b"".join(lines[:7]), b"".join(lines[7:20_000]), b"".join(lines[20_000:])], 3_000_000
    )
    assert whole == pieces == thirds
    assert len(whole) > 1
    for number, listed in enumerate(whole):
        stored = (tmp_path / "a" / "delivery" / listed.name).read_bytes()
        assert listed.name == f"part-{number:05d}-{hashlib.sha256(stored).hexdigest()[:16]}.jsonl.gz"
        assert listed.bytes == len(stored)
        assert stored[:8] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00"  # no file name, no time


def test_no_lines_no_objects(tmp_path: Path) -> None:
    assert write(tmp_path, [], 100) == ()
    assert not (tmp_path / "delivery").exists()


def test_a_slow_shelf_slows_the_source_down(tmp_path: Path) -> None:
    """Blocks wait by their bytes, not by their number: the source is never more than a few megabytes ahead."""
    stored = threading.Event()

    class SlowShelf(LocalStore):
        def upload(self, path: str, file: Path) -> None:
            stored.wait(30)
            super().upload(path, file)

    put: list[int] = []
    block = b"x" * (1 << 20) + b"\n"

    def fill() -> None:
        with PartWriter(SlowShelf(tmp_path), "delivery", "jsonl.gz", 1, None, set()) as parts:
            for _ in range(50):
                parts.write(block, 1)
                put.append(len(block))
            parts.close()

    source = threading.Thread(target=fill)
    source.start()
    time.sleep(0.5)
    ahead = len(put)
    stored.set()
    source.join(30)
    assert ahead < 20
    assert len(put) == 50


class BrokenShelf(LocalStore):
    """A store that fails at the third object."""

    def upload(self, path: str, file: Path) -> None:
        if "part-00002" in path:
            raise OSError("disk full")
        super().upload(path, file)


def test_a_failing_shelf_stops_the_writer_and_scratch_is_cleared(tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    uploaded: set[str] = set()

    def fill() -> None:
        with PartWriter(BrokenShelf(tmp_path), "delivery", "jsonl.gz", 10, scratch, uploaded) as parts:
            for _ in range(100_000):
                parts.write(b"123456789\n", 1)
            parts.close()

    with pytest.raises(OSError, match="disk full"):
        fill()
    assert list(scratch.iterdir()) == []
    assert len(uploaded) == 3
    assert len(list((tmp_path / "delivery").iterdir())) == 2


def test_leaving_early_clears_scratch(tmp_path: Path) -> None:
    def leave() -> None:
        with PartWriter(LocalStore(tmp_path), "delivery", "jsonl.gz", 10**9, tmp_path, set()) as parts:
            parts.write(b"a\n", 1)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        leave()
    assert list(tmp_path.iterdir()) == []
