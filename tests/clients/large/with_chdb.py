"""ClickHouse, as chdb: `s3()`, and tables whose disk is a bucket. Takes a directory, where to by http, and settings of the disk."""

import os
import sys

from chdb import session

directory, at, more = sys.argv[1:]
keys = [os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]]

clickhouse = session.Session(directory)


def ask(query):
    return str(clickhouse.query(query)).strip()


def objects(name, form):
    return f"s3('{at}/{name}', '{keys[0]}', '{keys[1]}', '{form}')"


ask(f"INSERT INTO FUNCTION {objects('one.parquet', 'Parquet')} SELECT number n, toString(n) w FROM numbers(300000)")
assert ask(f"SELECT count(), sum(n) FROM {objects('one.parquet', 'Parquet')}") == "300000,44999850000"
parts = "SETTINGS s3_max_single_part_upload_size=5242880, s3_min_upload_part_size=5242880"
ask(
    f"INSERT INTO FUNCTION {objects('a.csv', 'CSV')} SELECT number, randomPrintableASCII(100) FROM numbers(150000) {parts}"
)
assert ask(f"SELECT count() FROM {objects('*.csv', 'CSV')}") == "150000"
ask(
    f"INSERT INTO FUNCTION {objects('p/{_partition_id}.csv', 'CSV')} PARTITION BY number % 4 SELECT number FROM numbers(1000)"
)
assert ask(f"SELECT count(), uniq(_path) FROM {objects('p/*.csv', 'CSV')}") == "1000,4"

disk = f"type=s3, endpoint='{at}/disk/', access_key_id='{keys[0]}', secret_access_key='{keys[1]}'{more}"
ask(f"CREATE TABLE t (n UInt64, w String) ENGINE=MergeTree ORDER BY n SETTINGS disk=disk({disk})")
for _ in range(2):
    ask("INSERT INTO t SELECT number, randomPrintableASCII(20) FROM numbers(100000)")
ask("OPTIMIZE TABLE t FINAL")
assert ask("SELECT count(), sum(n) FROM t") == "200000,9999900000"
