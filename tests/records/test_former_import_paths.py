"""`zsadbench.results` and `zsadbench.sidecars`, the former import paths of what is now in `zsadbench.records`."""

import pytest

import zsadbench.results
import zsadbench.sidecars
from zsadbench import records
from zsadbench.records import sidecars

RESULTS = (
    *("SCHEMA", "Cell", "Record", "canonical", "find_records", "identity", "map_path", "read_details", "read_images"),
    *("read_record", "read_results", "record_path", "safe_name", "tidy", "validate", "write_record"),
)
SIDECARS = ("Sidecars", "read_arrays", "read_details", "read_regions", "read_sidecars", "read_spread")


@pytest.mark.parametrize("name", RESULTS)
def test_results_has_the_names_of_records(name):
    assert getattr(zsadbench.results, name) is getattr(records, name)


def test_the_values_of_one_class_keep_their_former_name():
    assert zsadbench.results.Row is records.MetricValues


@pytest.mark.parametrize("name", SIDECARS)
def test_sidecars_has_the_names_of_the_module_in_records(name):
    assert getattr(zsadbench.sidecars, name) is getattr(sidecars, name)


def test_these_are_all_of_their_names():
    assert sorted(zsadbench.results.__all__) == sorted((*RESULTS, "Row"))
    assert sorted(zsadbench.sidecars.__all__) == sorted(SIDECARS)
