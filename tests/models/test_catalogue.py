import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from kiridashi.core.errors import InputError, UsageError
from kiridashi.models.catalogue import DEFAULT_MODEL, cards, find_card
from kiridashi.models.fetching import shipped_file
from kiridashi.models.thresholds import SAM2_THRESHOLDS

NAMES = ["compact", "sam2.1-tiny", "sam2.1-small", "sam2.1-base-plus", "sam2.1-large", "edgetam"]


def test_the_catalogue_holds_the_promised_names_in_order() -> None:
    assert list(cards()) == NAMES
    assert DEFAULT_MODEL in cards()


@pytest.mark.parametrize("name", NAMES)
def test_every_card_is_complete(name: str) -> None:
    card = find_card(name)
    assert card.family in {"sam2", "edgetam"}
    assert card.kind in {"package", "hub"}
    assert card.place
    assert card.licence == "Apache-2.0"
    assert card.parameters > 1_000_000
    assert card.image_size % 32 == 0
    assert len(card.mean) == len(card.std) == 3
    assert bool(card.sha256) == (card.kind == "package")


def test_the_shipped_file_is_the_one_of_the_card() -> None:
    card = find_card("compact")
    assert hashlib.sha256(shipped_file(card).read_bytes()).hexdigest() == card.sha256
    assert card.is_cached


def test_a_card_becomes_plain_json() -> None:
    card = replace(find_card("compact"), trained=frozenset({"mask_decoder", "image_encoder"}))
    told = json.loads(json.dumps(card.to_dict()))
    assert told["name"] == "compact"
    assert told["trained"] == ["image_encoder", "mask_decoder"]
    assert told["cached"] is True
    assert told["grid"] == {"predicted_iou": card.grid.predicted_iou, "stability": card.grid.stability}


def test_only_our_own_model_has_thresholds_of_its_own() -> None:
    assert [name for name, card in cards().items() if card.grid != SAM2_THRESHOLDS] == ["compact"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("comapct", "compact"),
        ("sam2.1-tny", "sam2.1-tiny"),
        ("EdgeTAM", "edgetam"),
        ("sam2.1-base", "sam2.1-base-plus"),
    ],
)
def test_an_unknown_name_suggests_the_nearest(typed: str, meant: str) -> None:
    with pytest.raises(
        UsageError, match=rf"no model named '{typed}'\. Did you mean {meant}\? Known: compact, "
    ):
        find_card(typed)


def test_a_far_off_name_gets_the_list_only() -> None:
    with pytest.raises(UsageError, match=r"^no model named 'zzz'\. Known: compact, "):
        find_card("zzz")


def test_an_empty_name_is_not_the_working_folder() -> None:
    with pytest.raises(UsageError, match="no model named ''"):
        find_card("")


def test_a_folder_without_configuration_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no config\.json"):
        find_card(str(tmp_path))


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ("{", "not readable as JSON"),
        ("[1]", "expected a JSON object, got list"),
        ('{"model_type": "bert"}', "'bert' is not of the SAM 2 family; expected one of sam2, sam2_video"),
        ("{}", "None is not of the SAM 2 family"),
        ('{"model_type": "sam2", "image_size": 100}', "a multiple of 32, got 100"),
        (
            '{"model_type": "sam2", "prompt_encoder_config": {"image_size": [512, 256]}}',
            "must be a square side",
        ),
        ('{"model_type": "sam2", "image_size": "big"}', "got 'big'"),
        ('{"model_type": "sam2", "kiridashi": {"image_mean": [1, 2]}}', "image_mean must be three numbers"),
        ('{"model_type": "sam2", "kiridashi": {"image_std": [1, 0, 1]}}', "image_std must be above 0"),
        ("[" * 100_000, "not readable as JSON"),
    ],
)
def test_a_folder_whose_configuration_cannot_be_used_is_refused(
    tmp_path: Path, config: str, says: str
) -> None:
    (tmp_path / "config.json").write_text(config)
    with pytest.raises(InputError) as caught:
        find_card(str(tmp_path))
    assert says in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_a_folder_card_reads_the_processor(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(
        '{"model_type": "sam2", "prompt_encoder_config": {"image_size": [512, 512]}}'
    )
    (tmp_path / "preprocessor_config.json").write_text(
        '{"image_mean": [0.1, 0.2, 0.3], "image_std": [1, 1, 1]}'
    )
    card = find_card(str(tmp_path))
    assert card.image_size == 512
    assert card.mean == (0.1, 0.2, 0.3)
    assert card.std == (1.0, 1.0, 1.0)
    assert card.trained == {"image_encoder", "mask_decoder"}
    assert card.to_dict()["cached"] is True
