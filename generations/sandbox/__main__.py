"""``python -m generations.sandbox --data DIR``: the sandbox without Django."""

import argparse

from .server import add_options, serve


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(
        prog="python -m generations.sandbox", description="Pretend vendors on a loopback port."
    )
    add_options(parser)
    serve(vars(parser.parse_args()))


if __name__ == "__main__":
    main()
