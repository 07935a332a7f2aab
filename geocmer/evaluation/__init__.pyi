from .label_modes import labelled as labelled
from .recall import Recall as Recall
from .similarity import pair_similarity as pair_similarity
from .similarity import similarity_matrix as similarity_matrix
