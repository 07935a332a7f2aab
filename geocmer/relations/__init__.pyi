from .answering import answer_question as answer_question
from .kinds import Kind as Kind
from .parser import parse as parse
from .query import Clause as Clause
from .query import Query as Query
from .question import Question as Question
from .question import SearchOptions as SearchOptions
from .relation_search import relate as relate
