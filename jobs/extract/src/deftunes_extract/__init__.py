"""The porch: what the sources say, landed verbatim, with a receipt written last."""
