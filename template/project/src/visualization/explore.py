"""The customer's page: `python run.py explore`. Each call is one page; leave out what you do not want to show."""

import runyard.show as rs

from src.inference import predict  # the same function that run.py infer and docker/main.py call

app = rs.App(title="", customer="", predict=predict, language="en")  # an empty title is the project's name
app.models(default="best", compare="")  # ids or names of runs; --run and --compare of the command line go first
app.page_try(samples="tests/data")
app.page_threshold(costs={"missed": 1, "false alarm": 1}, unit="per 1000 samples")  # in your customer's words
app.page_errors(order="worst", group_by="label")
app.page_compare()
app.page_report()
app.run()
