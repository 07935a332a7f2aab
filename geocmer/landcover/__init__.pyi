from .captions import tile_captions as tile_captions
from .categories import Rules as Rules
from .categories import load_rules as load_rules
from .categories import scene_category as scene_category
from .layer import ClassFractions as ClassFractions
from .layer import LandCover as LandCover
from .legend import LandClass as LandClass
from .legend import Legend as Legend
