"""In and out: what other trackers recorded becomes runs, and runs become what other trackers read. One file each."""
