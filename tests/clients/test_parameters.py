"""The headers and parameters that the tests of bad input know are those of AWS's newest model."""

from pathlib import Path

import botocore.session

KNOWN = Path(__file__).parents[2] / "fixtures/s3/parameters.txt"


def of_model():
    """`Operation header` and `Operation ?parameter` of every operation, sorted."""
    model = botocore.session.Session().get_service_model("s3")
    for operation in model.operation_names:
        shape = model.operation_model(operation).input_shape
        for member in shape.members.values() if shape else ():
            name = member.serialization.get("name", "")
            match member.serialization.get("location"):
                case "header" | "headers":
                    yield f"{operation} {name.lower()}"
                case "querystring":
                    yield f"{operation} ?{name}"


def test_the_fixture_is_the_model():
    assert KNOWN.read_text().splitlines() == sorted(set(of_model()))
