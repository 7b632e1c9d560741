"""What scripts/drive_page.py does on the page of `vdiff serve`."""
