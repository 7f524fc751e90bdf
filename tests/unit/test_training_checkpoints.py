"""A resume checkpoint counts once it is whole; the one before lives until then."""

from pathlib import Path

from rdiverse.training import checkpoints


def written(folder: Path, number: int) -> Path:
    path = checkpoints.folder(folder, number)
    path.mkdir(parents=True)
    (path / "model.safetensors").write_bytes(b"weights")
    return path


def test_without_checkpoints_there_is_none_to_resume_from(tmp_path: Path) -> None:
    assert checkpoints.last_complete(tmp_path / "absent") is None


def folders(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_dir())


def test_a_checkpoint_without_its_mark_is_never_picked_up_and_is_swept(tmp_path: Path) -> None:
    checkpoints.discard_stale(tmp_path, {"seed": 1})
    whole = written(tmp_path, 4)
    checkpoints.complete(whole)
    written(tmp_path, 8)
    assert checkpoints.last_complete(tmp_path) == whole
    checkpoints.discard_stale(tmp_path, {"seed": 1})
    assert folders(tmp_path) == ["checkpoint-4"]


def test_a_checkpoint_of_other_inputs_is_swept(tmp_path: Path) -> None:
    checkpoints.discard_stale(tmp_path, {"dataset": "a"})
    checkpoints.complete(written(tmp_path, 4))
    checkpoints.discard_stale(tmp_path, {"dataset": "a"})
    assert folders(tmp_path) == ["checkpoint-4"]
    checkpoints.discard_stale(tmp_path, {"dataset": "b"})
    assert folders(tmp_path) == []


def test_completing_one_deletes_the_others(tmp_path: Path) -> None:
    for number in (4, 8, 100):
        checkpoints.complete(written(tmp_path, number))
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-100"]
    assert checkpoints.update(checkpoints.last_complete(tmp_path) or tmp_path) == 100


def test_numbers_are_compared_as_numbers(tmp_path: Path) -> None:
    for number in (9, 10):
        path = written(tmp_path, number)
        (path / checkpoints.MARK).write_text("{}")
    assert checkpoints.last_complete(tmp_path) == tmp_path / "checkpoint-10"
