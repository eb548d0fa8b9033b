"""Web pages about runs: one file each, made from the files of run folders, readable offline."""
