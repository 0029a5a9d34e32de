"""Every Ray worker imports this when it starts (ray_internals/environment.py): see standby.py.

The one module of ours whose import has an effect; nothing else may import it.
"""

from serve_app.cluster.ray_internals.inner_port import keep_closed
from serve_app.cluster.ray_internals.serve_without_pandas import serve_without_pandas
from serve_app.cluster.standby import warm_if_called_for

keep_closed()
serve_without_pandas()
warm_if_called_for()
