#!/usr/bin/env python
import os
import sys

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "videoforge.settings")
    from generations.management.trouble import execute

    execute(sys.argv)
