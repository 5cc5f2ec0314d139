"""Exits with 0 when the address given answers 200 within four seconds; needs no package."""

import sys
import urllib.error
import urllib.request

if __name__ == "__main__":
    try:
        with urllib.request.urlopen(sys.argv[1], timeout=4) as answer:  # noqa: S310
            sys.exit(0 if answer.status == 200 else 1)
    except (OSError, urllib.error.URLError) as error:
        print(error)
        sys.exit(1)
