"""A page for the customer, made of a few calls, and the same as data.

    import runyard.show as rs
    from src.inference import predict

    app = rs.App(title="Weld seam inspection", customer="Demo GmbH", predict=predict)
    app.page_try(samples="tests/data")
    app.page_threshold(costs={"missed defect": 120, "false alarm": 4}, unit="€ per 1000 parts")
    app.page_errors()
    app.page_compare()
    app.page_report()
    app.run()

`python run.py explore` opens it. What its pages show is also to be had as plain values: `measure`, `Scored`,
`Distances`, `errors`, `compare`, `trials`, and for notebooks `confusion_table` and `error_gallery`, over the answer of
`run.predictions()`.
"""

from runyard.apps.evaluation import Costs, Distances, Doubts, Scored, compare, errors, measure
from runyard.apps.notebook.showing import confusion_table, error_gallery
from runyard.apps.show.app import App
from runyard.apps.show.trying import trials

__all__ = [
    "App",
    "Costs",
    "Distances",
    "Doubts",
    "Scored",
    "compare",
    "confusion_table",
    "error_gallery",
    "errors",
    "measure",
    "trials",
]
