"""The package's functions, which are imported on first use."""

import pytest

import vdiff_jax


@pytest.mark.parametrize("name", vdiff_jax.__all__)
def test_every_function_is_found_in_its_module(name):
    function = getattr(vdiff_jax, name)
    assert callable(function)
    assert function.__name__ == name


def test_dir_lists_the_functions():
    assert set(vdiff_jax.__all__) < set(dir(vdiff_jax))


def test_another_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'sharpen'"):
        vdiff_jax.sharpen  # noqa: B018
