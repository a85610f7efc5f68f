"""The settings of a training, with their defaults, and the grid that `python run.py train --grid` tries.

`python run.py config keys` lists all of this; `python run.py train model.dropout=0.1` changes one setting.
"""

from typing import Annotated, Literal

from runyard import Config, Field


class Adam(Config):
    kind: Literal["adam"] = "adam"
    lr: float = Field(0.001, gt=0, help="learning rate")
    beta1: float = Field(0.9, ge=0, lt=1, help="how slowly the mean of the gradients moves")


class SGD(Config):
    kind: Literal["sgd"] = "sgd"
    lr: float = Field(0.01, gt=0, help="learning rate")
    momentum: float = Field(0.9, ge=0, lt=1, help="how much of the last step goes into the next one")


class Model(Config):
    channels: list[int] = Field([8, 16], help="feature maps of each convolution; all but the first halve the size")
    dropout: float = Field(0.0, ge=0, lt=1, help="part of the features that is left out while training")


class Data(Config):
    root: str | None = Field(None, help="folder of PNG files with a labels.csv; none: the digits of scikit-learn")
    validation: float = Field(0.2, gt=0, lt=1, help="part of the images to measure with")
    split_seed: int = Field(0, help="which images those are; not `seed`, so that all runs are measured alike")


class TrainConfig(Config):
    seed: int = Field(0, help="first weights and order of the images")
    epochs: int = Field(15, ge=1, help="passes over the training images")
    batch_size: int = Field(32, ge=1, help="images per step")
    model: Model = Model()
    optim: Annotated[Adam | SGD, Field(discriminator="kind")] = Adam()
    data: Data = Data()
    checkpoint_every: int = Field(5, ge=1, identity=False, help="epochs between two checkpoints")


DEFAULT = TrainConfig()

# 2 x 3 x 2 = 12 settings, each with 3 seeds: 36 runs. A list of lists for `channels`, which is a list itself.
OVERRIDE = {
    "optim.kind": ["adam", "sgd"],
    "optim.lr": [0.001, 0.01, 0.1],
    "model.channels": [[4, 8], [8, 16]],
    "seed": [0, 1, 2],
}
