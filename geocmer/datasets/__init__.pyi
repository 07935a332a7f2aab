from .annotations import load_pairs as load_pairs
from .pairs import Pair as Pair
from .pairs import PairSet as PairSet
from .store_pairs import tile_pairs as tile_pairs
