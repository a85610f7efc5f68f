"""What a service needs besides the packages of its project: the extra `serve`, without all that a whole Runyard brings.

    python -m runyard.serve.needs > needs.txt

A Dockerfile installs Runyard without its dependencies, and then these. A test compares them with
pyproject.toml.
"""

NEEDS = (
    "msgspec>=0.19",
    "pydantic>=2.10,<3",
    "ruamel.yaml>=0.18",
    "numpy>=1.26",
    "fastapi>=0.115",
    "uvicorn>=0.32",
)

if __name__ == "__main__":
    print("\n".join(NEEDS))
