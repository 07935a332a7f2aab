from .calibration import Calibration as Calibration
from .kinds import Kind as Kind
from .parser import Clause as Clause
from .parser import Query as Query
from .parser import parse as parse
from .relation_search import Related as Related
from .relation_search import relate as relate
