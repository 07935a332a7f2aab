from .grid import Grid as Grid
from .images import ImageFile as ImageFile
from .scene import Scene as Scene
from .stretch import Stretch as Stretch
from .tiling import Tile as Tile
from .tiling import TileReader as TileReader
