"""daft: Parquet in partitions, and CSV. Takes where to, the endpoint and the Region; keys from the environment."""

import os
import sys

import daft
from daft.io import IOConfig, S3Config

ROWS = 100_000
at, endpoint, region = sys.argv[1:]

config = S3Config(
    endpoint_url=endpoint,
    region_name=region,
    key_id=os.environ["AWS_ACCESS_KEY_ID"],
    access_key=os.environ["AWS_SECRET_ACCESS_KEY"],
    use_ssl=False,
    force_virtual_addressing=False,
)
io = IOConfig(s3=config)
numbers = range(ROWS)
frame = daft.from_pydict({"n": list(numbers), "part": [n % 3 for n in numbers], "word": [f"word {n}" for n in numbers]})
frame.write_parquet(f"{at}/table", io_config=io, partition_cols=["part"])
frame.write_csv(f"{at}/csv", io_config=io)
found = daft.read_parquet(f"{at}/table/**/*.parquet", io_config=io)
assert found.count_rows() == ROWS
assert found.where(daft.col("n") == 54_321).select("word").to_pydict() == {"word": ["word 54321"]}
assert daft.read_csv(f"{at}/csv/*.csv", io_config=io).count_rows() == ROWS
