from .config import TrainConfig as TrainConfig
from .ensemble import train as train
from .feature_cache import default_cache as default_cache
