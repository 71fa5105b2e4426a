"""Where bad inputs are kept: each file of the corpus says in its name whether it is to be taken or refused."""

from pathlib import Path

CORPUS = Path(__file__).parents[1] / "corpus"


def pytest_generate_tests(metafunc):
    """Give a test that asks for `sample` every file of the corpus of its module's subject."""
    if "sample" in metafunc.fixturenames:
        kind = metafunc.module.__name__.rpartition("test_")[2]
        files = sorted((CORPUS / kind).iterdir())
        metafunc.parametrize("sample", files, ids=[file.name for file in files])
