from .bbox import WGS84 as WGS84
from .bbox import BBox as BBox
from .distance import distances as distances
from .geodesy import bearings as bearings
from .region import Region as Region
