"""MLflow: artifacts logged, listed, fetched and one of them deleted. Takes where to and a directory."""

import os
import sys
from pathlib import Path

from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

at, directory = sys.argv[1], Path(sys.argv[2])

data = {"a": b"small", "sub/b": os.urandom(12 << 20)}
for name, content in data.items():
    (directory / name).parent.mkdir(parents=True, exist_ok=True)
    (directory / name).write_bytes(content)
repository = get_artifact_repository(at)
repository.log_artifacts(str(directory), "run")
listed = {info.path: info.file_size for info in repository.list_artifacts("run")}
assert listed == {"run/a": 5, "run/sub": None}, listed
found = Path(repository.download_artifacts("run"))
assert {name: (found / name).read_bytes() for name in data} == data
repository.delete_artifacts("run/a")
assert [info.path for info in repository.list_artifacts("run")] == ["run/sub"]
