"""`python -m runyard` is `runyard`, for where the environment's bin/ is not on the PATH."""

from runyard.cli.main import main

main()
