"""What was spent, by whom, on what: figures from the sums of ``totals``, and the rows behind each of them.

``filters`` says what is asked, ``figures`` answers from the sums, ``rows`` lists what lies under an answer, ``money``
knows what a unit was worth, ``charts`` and ``heat`` lay an answer out.
"""

from generations.reports.figures import Figures, Line, Report, report
from generations.reports.filters import Filters, People, sees_everybody
from generations.reports.money import About, Rates
from generations.reports.spans import Span

__all__ = ["About", "Figures", "Filters", "Line", "People", "Rates", "Report", "Span", "report", "sees_everybody"]
