"""polars: Parquet and CSV, whole, streamed, in partitions, and scanned. Takes where to, and the options of its store in JSON."""

import hashlib
import json
import sys

import polars

ROWS = 200_000
at, options = sys.argv[1], json.loads(sys.argv[2])

words = [hashlib.sha256(str(n).encode()).hexdigest() for n in range(ROWS)]
frame = polars.DataFrame({"n": range(ROWS), "part": [n % 4 for n in range(ROWS)], "word": words})
frame.write_parquet(f"{at}/one.parquet", storage_options=options)
frame.lazy().sink_parquet(f"{at}/streamed.parquet", storage_options=options)
frame.write_parquet(f"{at}/parts/", partition_by="part", storage_options=options)
for name in ("one.parquet", "streamed.parquet"):
    found = polars.scan_parquet(f"{at}/{name}", storage_options=options)
    assert found.collect().equals(frame)
    assert found.filter(polars.col("n") == 123_456).select("word").collect().item() == words[123_456]
parts = polars.scan_parquet(f"{at}/parts/**/*.parquet", storage_options=options)
assert parts.select(polars.len(), polars.col("n").sum()).collect().rows() == [(ROWS, sum(range(ROWS)))]
frame.head(1000).lazy().sink_csv(f"{at}/some.csv", storage_options=options)
assert polars.scan_csv(f"{at}/some.csv", storage_options=options).collect().equals(frame.head(1000))
