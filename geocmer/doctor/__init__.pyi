from .report import Finding as Finding
from .report import Report as Report
from .run import examine as examine
