"""Renders everything that attaches the module to a gateway, checks it, and leaves the objects for the tests in Envoy.

    python3 run.py TOOLS OUTPUT      TOOLS has what `cargo xtask test attach` installed, OUTPUT gets a file for each case
"""

import sys
import unittest
from pathlib import Path

TOOLS, OUTPUT = (Path(argument).resolve() for argument in sys.argv[1:3])
sys.path.insert(0, str(TOOLS / "lib"))


def main() -> int:
    sys.dont_write_bytecode = True
    import test_chart
    import test_objects
    import test_proxy

    for module in (test_chart, test_objects, test_proxy):
        module.TOOLS, module.OUTPUT = TOOLS, OUTPUT
    loader = unittest.defaultTestLoader
    suite = unittest.TestSuite(map(loader.loadTestsFromModule, (test_chart, test_objects, test_proxy)))
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    failed = len(result.failures) + len(result.errors)
    # xtask counts by this line.
    print(f"{result.testsRun - failed} passed, {failed} failed, {len(result.skipped)} skipped", flush=True)
    return 1 if failed or not result.testsRun else 0


if __name__ == "__main__":
    sys.exit(main())
