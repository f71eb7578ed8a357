"""What people write for this job with other tools, each as its own documentation would have it.

A webhook is taken with 200, a model is asked, and one reply is sent. No app checks Twilio's signature: that
decides nothing here. The apps of `tests/bench/` are others, because those stand on parts of Recado.
"""
