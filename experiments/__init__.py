"""The Sacred layer over hipreg: configurations, run records and the commands."""

import warnings

# Sacred imports pkg_resources, which announces its own end at every start.
warnings.filterwarnings("ignore", message="pkg_resources is deprecated", category=UserWarning)
