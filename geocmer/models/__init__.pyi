from .adapter import Adapter as Adapter
from .adapter_config import AdapterConfig as AdapterConfig
from .backbone import Backbone as Backbone
from .backbone import Features as Features
from .encoder import Encoder as Encoder
