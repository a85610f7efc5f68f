"""Puts the template into the package as a Git bundle. It needs neither Git nor anything that is installed."""

import importlib.util
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class TemplateHook(BuildHookInterface[Any]):
    """Writes `runyard/_template.bundle` into wheels; an editable install reads the folder `template` itself."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        root = Path(self.root)
        file = root / "src" / "runyard" / "project" / "template" / "bundle.py"
        spec = importlib.util.spec_from_file_location("runyard_template_bundle", file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # dataclasses look there
        spec.loader.exec_module(module)
        self._scratch = tempfile.TemporaryDirectory(prefix="runyard-build-")
        bundle = Path(self._scratch.name) / "template.bundle"
        bundle.write_bytes(module.bundle_folder(root / "template"))
        build_data["force_include"][str(bundle)] = "runyard/_template.bundle"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if version != "editable":
            self._scratch.cleanup()
