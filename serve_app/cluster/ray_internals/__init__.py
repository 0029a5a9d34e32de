"""Everything that leans on Ray's insides. What a new Ray would break by changing any of it, says
tests/serve_app/cluster/test_ray_internals.py."""
