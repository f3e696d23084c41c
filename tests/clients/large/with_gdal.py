"""GDAL, as rasterio and pyogrio carry it: a GeoTIFF written in parts, a window of it, GeoJSON. Takes the bucket."""

import struct
import sys

import numpy
import pyogrio
import rasterio

at = f"/vsis3/{sys.argv[1]}"

image = numpy.random.default_rng(1).integers(0, 255, (3, 2000, 2000), dtype="uint8")
shape = {"width": 2000, "height": 2000, "count": 3, "dtype": "uint8"}
with rasterio.open(f"{at}/image.tif", "w", driver="GTiff", tiled=True, **shape) as out:
    out.write(image)
with rasterio.open(f"{at}/image.tif") as found:
    assert (found.read() == image).all()
    assert (found.read(2, window=((100, 200), (300, 400))) == image[1, 100:200, 300:400]).all()

points = numpy.array([struct.pack("<BIdd", 1, 1, n, 2 * n) for n in range(2000)], dtype=object)
numbers = numpy.arange(2000)
layer = {"geometry_type": "Point", "crs": "EPSG:4326", "driver": "GeoJSON"}
pyogrio.raw.write(f"{at}/points.geojson", points, field_data=[numbers], fields=["n"], **layer)
assert (pyogrio.raw.read(f"{at}/points.geojson")[3][0] == numbers).all()
