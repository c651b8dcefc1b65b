"""An older build beside the one that is measured: each mpbroker variant once more, by its letter as
a capital."""

import argparse
import os
from dataclasses import replace


def add_option(parser):
    parser.add_argument("--against", metavar="DIR", type=_folder,
                        help="the programs of an older build: each mpbroker variant is measured a "
                             "second time with these, in the same rounds")


def _folder(text):
    if not os.access(os.path.join(text, "mpbroker"), os.X_OK):
        raise argparse.ArgumentTypeError(f"{text}: there is no program mpbroker in it")
    return text


def add_variants(variants, chosen, bin_dir):
    """Enters the older twin of each chosen mpbroker variant into `variants`; returns their keys."""
    twins = [replace(variants[key], key=key.upper(), bin_dir=bin_dir,
                     title=f"{variants[key].title} (older)")
             for key in chosen if key in variants and variants[key].program == "mpbroker"]
    variants.update({twin.key: twin for twin in twins})
    return [twin.key for twin in twins]
