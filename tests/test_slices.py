import pytest

from stanceline.errors import LabelError
from stanceline.records import Example
from stanceline.slices import Grouping, positions_by_value, slicers


def example(index, text="A short sentence about Kenya and Peru.", source="", **extra):
    return Example("a", index, text, {}, source=source, extra=extra)


def test_a_sentence_is_in_the_slice_of_every_country_that_it_names():
    examples = [example(0), example(1, "Nothing is named here.")]
    assert positions_by_value(examples, slicers(examples)["country"]) == {"Kenya": [0], "Peru": [0]}


def test_source_and_register_are_sliced_only_where_they_are_given():
    assert "source" not in slicers([example(0)])
    assert "register" in slicers([example(0, register="wire")])


def test_positions_count_from_the_first_sentence_that_there_is():
    examples = [example(40), example(41), example(60)]
    found = positions_by_value(examples, slicers(examples)["position"])
    assert found == {"first": [0], "later": [2], "second and third": [1]}


def test_the_value_zero_of_a_column_is_a_value():
    examples = [example(0, wave=0), example(1, wave=1)]
    assert set(positions_by_value(examples, slicers(examples, ["wave"])["wave"])) == {"0", "1"}


def test_a_column_that_no_row_has_is_named_with_those_that_there_are():
    with pytest.raises(LabelError, match=r"slice by 'genre': .*there are date, source, title, wave"):
        slicers([example(0, wave=1)], ["genre"])


def test_values_are_grouped_by_patterns_and_an_empty_group_is_refused():
    examples = [example(0, register="un:KEN"), example(1, register="wire")]
    grouping = Grouping("kind", "register", {"assembly": ["un:*"], "press": ["wire", "daily"]})
    assert positions_by_value(examples, slicers(examples, (), [grouping])["kind"]) == {"assembly": [0], "press": [1]}
    with pytest.raises(LabelError, match="slice 'kind': no row's register fits"):
        slicers(examples, (), [Grouping("kind", "register", {"blogs": ["blog"]})])
