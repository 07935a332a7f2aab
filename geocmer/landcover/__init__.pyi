from .captions import captions_of as captions_of
from .categories import Rules as Rules
from .categories import category_of as category_of
from .categories import load_rules as load_rules
from .layer import ClassFractions as ClassFractions
from .layer import LandCover as LandCover
from .legend import LandClass as LandClass
from .legend import Legend as Legend
