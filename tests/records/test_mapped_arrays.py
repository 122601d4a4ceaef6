"""Arrays that are maps of files are written as others are, and can be read after that."""

import io
import tempfile

import numpy as np

from zsadbench.records.sidecars import SPREAD, read_arrays, write_arrays


def mapped(array):
    with tempfile.TemporaryFile() as file:
        file.write(array.tobytes())
        file.flush()
        return np.asarray(np.memmap(file, array.dtype, "r", shape=array.shape))


def test_a_mapped_array_is_written_with_the_bytes_of_one_in_memory(tmp_path):
    path, counts = tmp_path / f"x{SPREAD}", np.arange(100_000, dtype=np.uint32)
    arrays = {"counts": counts, "names": np.array(["ä", "b"]), "corners": np.array(True)}
    expected = io.BytesIO()
    np.savez_compressed(expected, **{f"cap/{name}": array for name, array in arrays.items()}, identity=np.array("id"))
    of_file = mapped(counts)
    for given in (arrays, arrays | {"counts": of_file}):
        write_arrays(path, {"cap": given}, "id")
        assert path.read_bytes() == expected.getvalue()
    assert np.array_equal(of_file, counts), "it is read from its file again"
    assert np.array_equal(read_arrays(path)["cap"]["counts"], counts)
