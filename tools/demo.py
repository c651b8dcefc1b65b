"""The running part of tools/demo: starts brokers, has clients come, says what happened.

usage: demo.py BIN_DIR [--keep]"""

import os
import signal
import subprocess
import sys

from demolib import dispatch, rtmp
from demolib.broker import Failure

SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


def interrupted(number, _):
    raise KeyboardInterrupt(signal.Signals(number).name)


def main(bin_dir, keep):
    for number in SIGNALS:
        signal.signal(number, interrupted)
    shown = []
    wrong = []
    kept = False
    try:
        for part in (dispatch, rtmp):
            shown.append(part.Demonstration(os.path.abspath(bin_dir)))
            wrong += shown[-1].run()
        if keep:
            kept = True
            for demonstration in shown:
                print("", *demonstration.how_to_go_on(), sep="\n")
    except (Failure, subprocess.SubprocessError) as failure:
        wrong.append(str(failure))
    except KeyboardInterrupt as reason:
        wrong.append(f"ended by {reason}")
    finally:
        # A second signal must not leave programs behind.
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        if not kept:
            for demonstration in shown:
                demonstration.end()
    for text in wrong:
        print(f"tools/demo: {text}", file=sys.stderr)
    if not wrong and not kept:
        print("\nAll is ended. To keep it running and look at it: tools/demo --keep")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], "--keep" in sys.argv[2:]))
