from .filter import Filter as Filter
from .scene_row import SceneRow as SceneRow
from .schema import TileRow as TileRow
from .snapshot import Snapshot as Snapshot
from .store import Store as Store
from .vectors import EncoderInfo as EncoderInfo
from .versions import Version as Version
from .where import Condition as Condition
