"""What people look at of a study: its figures, tables and page."""
