"""Where things lie in a packed demo, besides what `runyard.apps.show.sources` reads."""

APP_FOLDER = "app"
REQUIREMENTS = "requirements.txt"
WHEELS = "wheels"
SUMS = "SHA256SUMS"
SCRIPT = "src/visualization/explore.py"
