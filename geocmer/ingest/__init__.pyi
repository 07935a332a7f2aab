from .pipeline import ingest as ingest
from .plan import IngestPlan as IngestPlan
from .reembed import reembed as reembed
from .tile_options import TileOptions as TileOptions
