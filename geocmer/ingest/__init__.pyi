from .pipeline import TileOptions as TileOptions
from .pipeline import ingest as ingest
from .reembed import reembed as reembed
