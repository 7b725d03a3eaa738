"""Runs pytest with everything patched by gevent, as a worker of gunicorn's would be: ``python pytest_gevent.py ...``.

Under pytest's own command it would be too late: patching must come before anything is imported.
"""

from gevent import monkey

monkey.patch_all()

import sys  # noqa: E402

# Python put this folder first, where redis.py would hide the library of that name.
del sys.path[0]

import pytest  # noqa: E402

if __name__ == "__main__":
    sys.exit(pytest.main())
