"""The wheel, installed into an empty environment, has all that it needs and nothing else."""

import os
import pathlib
import shutil
import subprocess
import sys
import zipfile

import pytest

ROOT = pathlib.Path(__file__).parent.parent

USE = """
import importlib.metadata, importlib.resources
import tertulia, tertulia.sync, tertulia.models
from tertulia.testing import Service, StandIn

assert importlib.resources.files("tertulia").joinpath("py.typed").is_file()
assert importlib.metadata.version("tertulia") == tertulia.__version__
with StandIn() as platform, Service(platform) as service:
    with service.sync_client() as client:
        assert [row["id"] for row in client.connections()] == ["bots-1"]
print("used from", tertulia.__file__)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    directory = tmp_path_factory.mktemp("wheel")
    # A copy, because a build writes beside its sources.
    source = directory / "source"
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*command, "--no-build-isolation", "--wheel-dir", str(directory), str(source)], check=True)
    return next(directory.glob("*.whl"))


def test_the_wheel_has_the_package_only(wheel: pathlib.Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        folder = next(name for name in names if name.endswith("/METADATA"))
        metadata = archive.read(folder).decode()
    assert {name.split("/")[0] for name in names} == {"tertulia", folder.split("/")[0]}
    assert {"tertulia/py.typed", "tertulia/testing/__init__.py", "tertulia/sync/client.py"} <= set(names)
    requires = [line for line in metadata.splitlines() if line.startswith("Requires-Dist: ")]
    assert requires == ["Requires-Dist: httpx<1,>=0.27", "Requires-Dist: typing-extensions>=4.6; python_version < '3.11'"]
    assert "# tertulia: bots and scripts" in metadata


def test_the_wheel_is_used_in_an_empty_environment(wheel: pathlib.Path, tmp_path: pathlib.Path) -> None:
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    python = str(environment / "bin" / "python")
    install = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--disable-pip-version-check"]
    install += ["--no-compile"]
    subprocess.run([*install, str(wheel)], check=True)
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    used = subprocess.run([python, "-c", USE], cwd=tmp_path, env=variables, check=True, capture_output=True, text=True)
    assert str(environment) in used.stdout
    program = [python, "-m", "tertulia", "--version"]
    said = subprocess.run(program, cwd=tmp_path, env=variables, check=True, capture_output=True, text=True)
    assert said.stdout.startswith("tertulia ")
