"""Models on disk, without pickle: one file per framework, each imported when a model of it turns up."""

from runyard.tracking.models.folder import load_model, read_manifest, save_model

__all__ = ["load_model", "read_manifest", "save_model"]
