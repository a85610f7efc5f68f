"""The config of the documentation, and short ways to expand it."""

# ruff: noqa: RUF012  (pydantic copies mutable defaults)

from collections.abc import Callable
from typing import Annotated, Any, Literal

import pytest

from runyard.config import Config, Field, Plan, expand
from runyard.errors import ConfigError


class Adam(Config):
    kind: Literal["adam"] = "adam"
    lr: float = Field(1e-3, gt=0)
    beta2: float = 0.999


class SGD(Config):
    kind: Literal["sgd"] = "sgd"
    lr: float = Field(1e-2, gt=0)
    momentum: float = 0.9


class Model(Config):
    name: Literal["resnet18", "vit"] = "resnet18"
    hidden: list[int] = [64, 64]
    patch: int | None = None
    dropout: float = Field(0.0, ge=0, lt=1)


class Data(Config):
    root: str = "data/train"
    size: int = 224
    extra: Any = None
    items: list[Any] = []
    either: int | list[int] = 1
    num_workers: int = Field(4, identity=False)


class TrainConfig(Config):
    seed: int = 0
    epochs: int = Field(10, ge=1, help="passes over the training data")
    model: Model = Model()
    optim: Annotated[Adam | SGD, Field(discriminator="kind")] = Adam()
    data: Data = Data()


Problems = Callable[..., list[str]]


@pytest.fixture
def default() -> TrainConfig:
    """The default of a project."""
    return TrainConfig()


@pytest.fixture
def problems(default: TrainConfig) -> Problems:
    """The problems of a plan that is refused."""

    def of(*tokens: str, overrides: Any = None) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            expand(default, overrides, command_line=tokens)
        return caught.value.problems

    return of


@pytest.fixture
def values(default: TrainConfig) -> Callable[..., list[Any]]:
    """The values that one key has in the configs of a plan."""

    def of(key: str, *tokens: str, overrides: Any = None) -> list[Any]:
        plan: Plan = expand(default, overrides, command_line=tokens)
        found = []
        for run in plan:
            value: Any = run.config
            for name in key.split("."):
                value = getattr(value, name)
            found.append(value)
        return found

    return of
