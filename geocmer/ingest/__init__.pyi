from .pipeline import TileOptions as TileOptions
from .pipeline import ingest as ingest
from .plan import IngestPlan as IngestPlan
from .reembed import reembed as reembed
