"""deltalake: a table with six writers at once, deletes, `optimize`, `vacuum`, a checkpoint. Arguments as of with_polars.py."""

import concurrent.futures
import json
import os
import sys

import pyarrow
from deltalake import DeltaTable, write_deltalake

ROWS, WRITERS, APPENDED = 50_000, 6, 100
at, options = sys.argv[1], json.loads(sys.argv[2]) | {"aws_conditional_put": "etag"}

table = pyarrow.table({"n": range(ROWS), "word": [f"word {n}" for n in range(ROWS)]})
write_deltalake(at, table, storage_options=options)


def append(writer):
    write_deltalake(at, table.slice(writer * APPENDED, APPENDED), mode="append", storage_options=options)


with concurrent.futures.ThreadPoolExecutor(WRITERS) as pool:
    list(pool.map(append, range(WRITERS)))
found = DeltaTable(at, storage_options=options)
assert (found.version(), found.to_pyarrow_table().num_rows) == (WRITERS, ROWS + WRITERS * APPENDED)
found.delete("n < 50")
found.optimize.compact()
found.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
found.create_checkpoint()
again = DeltaTable(at, storage_options=options)
# Of the first hundred, which the first writer has appended once more, half.
assert again.to_pyarrow_table().num_rows == ROWS - 50 + WRITERS * APPENDED - 50
# All has been checked. An ordinary end now and then aborts in the library's own threads: "terminate called without an active
# exception".
os._exit(0)
