"""Choices of options, apart from the code that acts on them: help and completion load nothing else."""

from enum import StrEnum


class Goal(StrEnum):
    """Which way a metric is better."""

    MAX = "max"
    MIN = "min"


class Section(StrEnum):
    """What can be compared between runs."""

    CONFIG = "config"
    METRICS = "metrics"
    DATA = "data"
    CODE = "code"
    PACKAGES = "packages"
    ENVIRONMENT = "environment"
    OUTPUT = "output"


class CleaningRule(StrEnum):
    """What `runyard clean` takes."""

    CHECKPOINTS = "checkpoints"
    FILES = "files"
    FAILED = "failed"
    TRASH = "trash"


class NotebookKind(StrEnum):
    """What a notebook about runs asks."""

    ALL = "all"
    COMPARE = "compare"
    ERRORS = "errors"


class EnvironmentOf(StrEnum):
    """What a run is reproduced with."""

    REBUILD = "rebuild"  # the packages of then
    SAME = "same"  # those that are here


class Framework(StrEnum):
    """What a new project's model is written in."""

    SKLEARN = "sklearn"
    TORCH = "torch"


class Task(StrEnum):
    """What a new project's model does."""

    IMAGE_CLASSIFICATION = "image-classification"
    TABULAR = "tabular"
    TIMESERIES = "timeseries"
    DETECTION = "detection"


class CI(StrEnum):
    """Where a new project's tests run."""

    GITLAB = "gitlab"
    GITHUB = "github"
    NONE = "none"
