#!/usr/bin/python3
"""reference.py SLIPWAY PAGE: fails when doc/reference/cli.md is not what the program prints now."""
import pathlib
import subprocess
import sys

program, page = sys.argv[1:]
printed = subprocess.run([program, "reference", "cli"], stdout=subprocess.PIPE, check=True).stdout
if printed != pathlib.Path(page).read_bytes():
    sys.exit(f"{page} is out of date: run '{program} reference cli >{page}'")
