"""The look that all pages and figures share: what results and studies both draw with."""
