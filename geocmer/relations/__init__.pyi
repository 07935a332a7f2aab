from .calibration import Calibration as Calibration
from .kinds import Kind as Kind
from .parser import parse as parse
from .query import Clause as Clause
from .query import Query as Query
from .relation_search import Related as Related
from .relation_search import relate as relate
