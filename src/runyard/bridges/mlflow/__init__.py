"""MLflow's data in and out, without MLflow: a server by its REST API, folders of its file store, its SQLite file."""
