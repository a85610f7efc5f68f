"""MLflow's REST dialect: whatever logs to MLflow logs to Runyard, at `http://host/mlflow/<project>`.

What clients write becomes journals of runs (`pens.py`), and what belongs to no run a journal of its own (`ledger.py`);
what they ask is answered from the index. `table.py` lists every endpoint.
"""

from runyard.server.mlflow.table import ENDPOINTS, ROOT, Endpoint, find, methods

__all__ = ["ENDPOINTS", "ROOT", "Endpoint", "find", "methods"]
