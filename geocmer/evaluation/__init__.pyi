from .label_modes import label_mode_scores as label_mode_scores
from .recall import Recall as Recall
from .similarity import pair_similarity as pair_similarity
from .similarity import similarity_matrix as similarity_matrix
from .store_retrieval import CategoryScore as CategoryScore
from .store_retrieval import category_scores as category_scores
