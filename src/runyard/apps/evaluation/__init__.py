"""What the predictions of an evaluation set say: measures, thresholds and costs, errors, comparisons.

Pure functions over `Predictions`; the page, the report and a project's own code call the same ones.
"""

from runyard.apps.evaluation.comparing import Comparison, Difference, compare
from runyard.apps.evaluation.costs import Costs
from runyard.apps.evaluation.deciding import CostCurve, Decision, Scored
from runyard.apps.evaluation.distances import Distances, Tolerated
from runyard.apps.evaluation.doubts import Doubt, Doubts
from runyard.apps.evaluation.gallery import GroupBy, Item, Order, errors
from runyard.apps.evaluation.measures import ClassMeasures, Measures, data_version, interval, measure
from runyard.apps.evaluation.rates import Rate, precision_recall, roc

__all__ = [
    "ClassMeasures",
    "Comparison",
    "CostCurve",
    "Costs",
    "Decision",
    "Difference",
    "Distances",
    "Doubt",
    "Doubts",
    "GroupBy",
    "Item",
    "Measures",
    "Order",
    "Rate",
    "Scored",
    "Tolerated",
    "compare",
    "data_version",
    "errors",
    "interval",
    "measure",
    "precision_recall",
    "roc",
]
