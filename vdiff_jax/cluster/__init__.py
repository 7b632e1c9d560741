"""`vdiff repair --cluster`: repairs videos, and the segments of long films, on the devices of a Ray cluster.

Only `pool.py` imports Ray, and only when a cluster is used.
"""

from vdiff_jax.cluster.batch import repair_videos as repair_videos
from vdiff_jax.cluster.pool import ray_module as ray_module
from vdiff_jax.cluster.storage import beside as beside
from vdiff_jax.cluster.storage import check_writable as check_writable
from vdiff_jax.cluster.storage import exists as exists
from vdiff_jax.cluster.storage import list_videos as list_videos
