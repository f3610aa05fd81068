"""runs/report.html: one self-contained page, drawn without network."""
