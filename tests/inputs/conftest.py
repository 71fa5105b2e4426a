"""The corpus of inputs: the name of each file says whether the input must be accepted or refused."""

from pathlib import Path

CORPUS = Path(__file__).parents[1] / "corpus"


def pytest_generate_tests(metafunc):
    """Run a test that asks for `sample` with every file of the corpus for its module's subject."""
    if "sample" in metafunc.fixturenames:
        kind = metafunc.module.__name__.rpartition("test_")[2]
        files = sorted((CORPUS / kind).iterdir())
        metafunc.parametrize("sample", files, ids=[file.name for file in files])
