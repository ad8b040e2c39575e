"""Parts of the demo-city generator (``scripts/make_demo_data.py``); never imported by the package."""
