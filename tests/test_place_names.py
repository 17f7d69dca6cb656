import pytest

from stanceline.place_names import mask_names, named_countries


@pytest.mark.parametrize(
    ("text", "countries"),
    [
        ("Moscow and the Kremlin answered Washington.", ("Russia", "United States")),
        ("Delegates from South Sudan met those of Sudan.", ("South Sudan", "Sudan")),
        ("RUSSIA SAYS NO", ("Russia",)),
        ("They asked us to polish the report.", ()),
        ("The U.S. envoy left.", ("United States",)),
    ],
)
def test_countries_are_found_by_name_people_and_seat_of_government(text, countries):
    assert named_countries(text) == countries


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("The envoy, Anna Berg, praised NATO again.", "The envoy, Name, praised Name again."),
        ("Yesterday I asked why Kenya had voted so.", "Yesterday I asked why Name had voted so."),
        ("No names stand in this sentence.", "No names stand in this sentence."),
        ("Parliament Rejects Treaty With France", "Parliament Rejects Treaty With Name"),
    ],
)
def test_names_are_masked_and_other_words_are_kept(text, masked):
    assert mask_names(text) == masked
