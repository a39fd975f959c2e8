"""What vcmp's own servers on 127.0.0.1 have in common, and what their callers tell them."""
