from .config import TrainConfig as TrainConfig
from .config_file import train_config as train_config
from .ensemble import train as train
from .feature_cache import default_cache as default_cache
