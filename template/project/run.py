# Managed by Runyard: the same file in every project. Project code lives in src/.
from runyard.runner import main

raise SystemExit(main(__file__))
