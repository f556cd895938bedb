"""Each corpus in its publisher's format, five rows, and what must not be trained on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from phosphene.core.errors import InputError
from phosphene.data.captions import (
    READERS,
    CaptionPair,
    Leaks,
    coco,
    conceptual_captions,
    gqa,
    multi30k_captions,
    picture_key,
    sbu,
    sentence_key,
    visual7w,
    vqa,
    without_leaks,
)

SENTENCES = [
    "A goat stands on a red barrel.",
    "Two goats look at a kite.",
    "A woman sells melons.",
    "A boat without oars.",
    "Three empty chairs.",
]


def write_json(path: Path, record: Any) -> Path:
    path.write_text(json.dumps(record), encoding="utf-8")
    return path


def coco_file(folder: Path) -> Path:
    images = [
        {"id": 40 + row, "file_name": f"COCO_train2014_{40 + row:012d}.jpg"} for row in range(4)
    ]
    rows = [
        {"id": row, "image_id": 40 + row % 4, "caption": f" {sentence}\n"}
        for row, sentence in enumerate(SENTENCES)
    ]
    return write_json(folder / "captions_train2014.json", {"images": images, "annotations": rows})


def sbu_file(folder: Path) -> Path:
    addresses = [f"http://static.flickr.com/1/{500 + row}_0a1b2c.jpg" for row in range(5)]
    (folder / "SBU_urls.txt").write_text("\n".join(addresses) + "\n")
    (folder / "SBU_captions.txt").write_text("\n".join(SENTENCES) + "\n")
    return folder / "SBU_captions.txt"


def visual7w_file(folder: Path) -> Path:
    def image(row: int, split: str) -> dict[str, Any]:
        answer = {"answer": "A goat.", "multiple_choices": ["A dog.", "A cow.", "A hen."]}
        questions = [{"qa_id": row, "question": SENTENCES[row], "type": "what", **answer}]
        name = f"v7w_{row}.jpg"
        return {"image_id": row, "filename": name, "split": split, "qa_pairs": questions}

    images = [image(row, "val" if row == 4 else "train") for row in range(5)]
    return write_json(folder / "v7w.json", {"dataset": "visual7w-telling", "images": images})


def vqa_file(folder: Path) -> Path:
    rows = [
        {"image_id": 7 + row, "question": sentence, "question_id": 70 + row}
        for row, sentence in enumerate(SENTENCES)
    ]
    record = {"info": {}, "data_type": "mscoco", "data_subtype": "train2014", "questions": rows}
    return write_json(folder / "v2_questions.json", record)


def conceptual_captions_file(folder: Path) -> Path:
    lines = [f"{one}\thttps://example.org/pictures/{row}.jpg" for row, one in enumerate(SENTENCES)]
    path = folder / "Train_GCC-training.tsv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def gqa_file(folder: Path) -> Path:
    record = {
        f"02{row}": {"question": sentence, "imageId": f"{9000 + row}", "answer": "no"}
        for row, sentence in enumerate(SENTENCES)
    }
    return write_json(folder / "train_balanced_questions.json", record)


FILES: dict[str, Callable[[Path], Path]] = {
    "coco": coco_file,
    "sbu": sbu_file,
    "visual7w": visual7w_file,
    "vqa": vqa_file,
    "conceptual_captions": conceptual_captions_file,
    "gqa": gqa_file,
}
PICTURES = {
    "coco": ("COCO_train2014_000000000040.jpg", "COCO_train2014_000000000040.jpg"),
    "sbu": (
        "http://static.flickr.com/1/500_0a1b2c.jpg",
        "http://static.flickr.com/1/504_0a1b2c.jpg",
    ),
    "visual7w": ("v7w_0.jpg", "v7w_3.jpg"),
    "vqa": ("COCO_train2014_000000000007.jpg", "COCO_train2014_000000000011.jpg"),
    "conceptual_captions": (
        "https://example.org/pictures/0.jpg",
        "https://example.org/pictures/4.jpg",
    ),
    "gqa": ("9000.jpg", "9004.jpg"),
}


@pytest.mark.parametrize("name", READERS)
def test_a_corpus_is_read_as_caption_pairs(name: str, tmp_path: Path) -> None:
    path = FILES[name](tmp_path)
    pairs = READERS[name](path)
    expected = SENTENCES[:4] if name == "visual7w" else SENTENCES
    assert [pair.sentence for pair in pairs] == expected
    assert (pairs[0].picture, pairs[-1].picture) == PICTURES[name]
    assert len({pair.id for pair in pairs}) == len(pairs)
    assert pairs[0].id == f"{path.name}:1"


@pytest.mark.parametrize(
    ("reader", "record", "message"),
    [
        (coco, {"images": []}, "expected a list 'annotations'"),
        (
            coco,
            {"images": [], "annotations": [{"image_id": 3, "caption": "a goat"}]},
            r"annotations\[0\]: image_id 3 is not among the images",
        ),
        (
            coco,
            {"images": [{"id": "3"}], "annotations": []},
            r"images\[0\]: expected 'id', of type",
        ),
        (
            vqa,
            {"data_subtype": "train2014", "questions": [{"image_id": 3, "question": " "}]},
            r"questions\[0\]: expected a sentence and a picture, one is empty",
        ),
        (visual7w, [], "expected a JSON object"),
        (gqa, {"07": {"question": "Is it a goat?"}}, "question 07: expected 'imageId'"),
    ],
)
def test_a_file_that_does_not_fit_is_named_with_the_place(
    reader: Callable[[Path], object], record: Any, message: str, tmp_path: Path
) -> None:
    path = write_json(tmp_path / "file.json", record)
    with pytest.raises(InputError, match=message) as error:
        reader(path)
    assert str(error.value).startswith(str(path))


def test_text_files_that_do_not_fit_are_named_with_the_line(tmp_path: Path) -> None:
    table = tmp_path / "gcc.tsv"
    table.write_text("a goat\thttp://example.org/1.jpg\na goat\n")
    with pytest.raises(InputError, match=r"gcc\.tsv:2: expected a caption, a tab and an address"):
        conceptual_captions(table)
    path = sbu_file(tmp_path)
    path.write_text("a goat\n")
    with pytest.raises(InputError, match="has 1 lines and"):
        sbu(path)
    with pytest.raises(InputError, match="expected 'captions' in the name"):
        sbu(tmp_path / "SBU.txt")


def test_the_five_captions_of_the_training_photos_alone_are_read(tmp_path: Path) -> None:
    task = tmp_path / "multi30k" / "task2"
    (task / "tok").mkdir(parents=True)
    (task / "image_splits").mkdir()
    (task / "image_splits" / "train_images.txt").write_text("11.jpg\n12.jpg\n")
    for number in range(1, 6):
        lines = f"a man &apos;s goat {number} .\ntwo goats {number} .\n"
        (task / "tok" / f"train.lc.norm.tok.{number}.en").write_text(lines)
    pairs = multi30k_captions(tmp_path)
    assert len(pairs) == 10
    assert pairs[0].sentence == "a man 's goat 1 ."
    assert [pair.picture for pair in pairs[:3]] == ["11.jpg", "12.jpg", "11.jpg"]
    assert len({pair.id for pair in pairs}) == 10


def test_pictures_and_sentences_of_evaluation_sets_are_left_out() -> None:
    pairs = [
        CaptionPair("1", "A goat.", "COCO_train2014_000000000042.jpg"),
        CaptionPair("2", "Two goats .", "7.jpg"),
        CaptionPair("3", "Three goats.", "http://static.flickr.com/2/88_0a.jpg"),
        CaptionPair("4", "Four goats.", "9.jpg"),
    ]
    tested = ["000000000042.jpg#3", "88.jpg"]
    kept, leaks = without_leaks(pairs, tested, ["two goats", "a goat ."])
    assert [pair.id for pair in kept] == ["4"]
    assert leaks == Leaks(pictures=2, sentences=1, kept=1)
    assert "1 pairs kept; 2 left out for a picture and 1 for a sentence" in str(leaks)


def test_names_and_sentences_are_compared_across_corpora() -> None:
    names = (
        "COCO_val2014_000000398076.jpg#657409",
        "000000398076.jpg",
        "x/COCO_val2014_000000398076",
    )
    assert {picture_key(name) for name in names} == {"coco 398076"}
    assert picture_key("v7w_12.jpg") == "v7w_12"
    assert picture_key("398076.jpg") == "398076"  # a Flickr photo, not a COCO number
    assert sentence_key("The dog 's ball &amp; bat .") == sentence_key("the dog's ball & bat")
