"""Models on disk, without pickle: one file per framework, each imported when a model of it turns up."""

from runyard.tracking.models.folder import (
    MANIFEST,
    Manifest,
    load_model,
    read_manifest,
    save_model,
    verify_files,
    write_manifest,
)

__all__ = ["MANIFEST", "Manifest", "load_model", "read_manifest", "save_model", "verify_files", "write_manifest"]
