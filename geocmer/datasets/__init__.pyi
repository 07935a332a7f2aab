from .pairs import Pair as Pair
from .pairs import PairSet as PairSet
from .pairs import load_pairs as load_pairs
from .store_pairs import tile_pairs as tile_pairs
